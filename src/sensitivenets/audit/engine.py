"""Runs the attackers of a plan on all representations and attributes, and joins what they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sensitivenets.audit.attackers import Attacker
from sensitivenets.audit.attribute import AFTER, BEFORE, PROJECTED, SHUFFLED, join
from sensitivenets.audit.attribute_result import AttributeResult
from sensitivenets.audit.battery import Battery, summarise
from sensitivenets.audit.curve_jobs import add_curves
from sensitivenets.audit.plan import Plan
from sensitivenets.audit.preparations import Preparations
from sensitivenets.audit.progress import Steps
from sensitivenets.audit.scores import AttackedSet
from sensitivenets.audit.splits import IntArray
from sensitivenets.audit.trials import Task, Trial, run_trial, seed_of
from sensitivenets.audit.workers import run_jobs
from sensitivenets.embeddings import FloatArray


@dataclass(frozen=True)
class Attacked:
    """One attribute to be read, and by whom.

    Attributes
    ----------
    task : Task
        The attribute.
    attackers : tuple of Attacker
        Of each representation.
    is_joint : bool
        Whether it is the attributes crossed.
    notes : tuple of str
        About its classes.
    """

    task: Task
    attackers: tuple[Attacker, ...]
    is_joint: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Job:
    """One trial to run: which attribute and representation it belongs to, and its arguments."""

    attribute: int
    representation: str
    attacker: Attacker
    preparation: str
    X: FloatArray
    task: Task


def attack(
    attributes: Sequence[Attacked],
    representations: Mapping[str, Preparations],
    plan: Plan,
    identities: IntArray,
    *,
    seed: int,
    n_jobs: int,
    steps: Steps,
) -> tuple[AttributeResult, ...]:
    """Run every attacker, the controls and the curves, and join them by attribute.

    Parameters
    ----------
    attributes : sequence of Attacked
        What to read.
    representations : mapping of str to Preparations
        ``"before"``, and ``"after"``, ``"inverted"``, ``"random projection"`` where there are.
    plan : Plan
        Controls and curves.
    identities : ndarray
        Identity of each row of the prepared arrays.
    seed : int
        Decides everything.
    n_jobs : int
        Processes.
    steps : Steps
        Told of each trial.

    Returns
    -------
    tuple of AttributeResult
        In the order of `attributes`.
    """
    jobs = _jobs(attributes, representations, plan, identities, seed)
    steps.total += len(jobs)
    trials = _run(jobs, seed, n_jobs, steps)
    tests = [_attacked_set(a.task, identities, seed) for a in attributes]
    batteries = [
        {
            name: _battery(name, k, attributes[k], jobs, trials, representations, tests[k])
            for name in (*representations, SHUFFLED)
        }
        for k in range(len(attributes))
    ]
    _shuffle_again(attributes, representations, plan, identities, batteries, tests, seed)
    if plan.curves:
        add_curves(
            [(a.task, a.attackers) for a in attributes if not a.is_joint],
            [b for a, b in zip(attributes, batteries, strict=True) if not a.is_joint],
            [t for a, t in zip(attributes, tests, strict=True) if not a.is_joint],
            {name: representations[name] for name in (BEFORE, AFTER) if name in representations},
            identities,
            seed=seed,
            n_jobs=n_jobs,
            steps=steps,
        )
    return tuple(
        join(attribute.task, battery, test, attribute.notes)
        for attribute, battery, test in zip(attributes, batteries, tests, strict=True)
    )


def shuffled_task(task: Task, identities: IntArray, seed: int) -> Task:
    """Give each training identity the labels of another one: what is left to learn is nothing.

    Where identities have several rows, the labels stay together, so that an attacker which only
    recognises people gains nothing on others, and shows if identities leak into the test rows.
    """
    rng = np.random.default_rng(seed_of(seed, task.name, "shuffled"))
    y = task.y.copy()
    _, first, index = np.unique(identities[task.train], return_index=True, return_inverse=True)
    y[task.train] = rng.permutation(task.y[task.train][first])[index]
    if len(np.unique(y[task.train])) < len(task.classes):
        y[task.train] = rng.permutation(task.y[task.train])
    return replace(task, y=y)


def _jobs(
    attributes: Sequence[Attacked],
    representations: Mapping[str, Preparations],
    plan: Plan,
    identities: IntArray,
    seed: int,
) -> list[_Job]:
    jobs: list[_Job] = []
    for k, attribute in enumerate(attributes):
        for name, prepared in representations.items():
            attackers = plan.projection_attackers if name == PROJECTED else attribute.attackers
            jobs += _jobs_on(k, name, prepared, attackers, attribute.task)
        shuffled = shuffled_task(attribute.task, identities, seed)
        jobs += _jobs_on(k, SHUFFLED, representations[BEFORE], plan.shuffled_attackers, shuffled)
    return jobs


def _jobs_on(
    attribute: int, name: str, prepared: Preparations, attackers: Sequence[Attacker], task: Task
) -> list[_Job]:
    jobs = []
    for attacker in attackers:
        for preparation in attacker.preparations:
            if preparation in prepared.by_name:
                rows = prepared.by_name[preparation]
                X = rows.coordinates if attacker.sees_coordinates else rows.rotated
                jobs.append(_Job(attribute, name, attacker, preparation, X, task))
    return jobs


def _run(jobs: Sequence[_Job], seed: int, n_jobs: int, steps: Steps) -> list[Trial]:
    return run_jobs(
        run_trial,
        [(job.attacker, job.preparation, job.X, job.task, seed) for job in jobs],
        costs=[job.attacker.cost for job in jobs],
        names=[f"{job.task.name}, {job.representation}: {job.attacker.name}" for job in jobs],
        n_jobs=n_jobs,
        steps=steps,
    )


def _attacked_set(task: Task, identities: IntArray, seed: int) -> AttackedSet:
    return AttackedSet.make(
        task.y[task.test],
        len(task.classes),
        identities[task.test],
        seed_of(seed, task.name, "intervals"),
    )


def _battery(
    name: str,
    attribute: int,
    attacked: Attacked,
    jobs: Sequence[_Job],
    trials: Sequence[Trial],
    representations: Mapping[str, Preparations],
    test: AttackedSet,
) -> Battery:
    own = [
        trial
        for job, trial in zip(jobs, trials, strict=True)
        if job.attribute == attribute and job.representation == name
    ]
    notes = representations[name].notes if name in representations else ()
    return summarise(name, own, attacked.task, test, notes)


def _shuffle_again(
    attributes: Sequence[Attacked],
    representations: Mapping[str, Preparations],
    plan: Plan,
    identities: IntArray,
    batteries: list[dict[str, Battery]],
    tests: Sequence[AttackedSet],
    seed: int,
) -> None:
    """One shuffle in a hundred beats the noise bound by chance; a broken audit does it twice."""
    silent = Steps(0)
    for k, attribute in enumerate(attributes):
        if not batteries[k][SHUFFLED].result.strongest.above_chance:
            continue
        again = shuffled_task(attribute.task, identities, seed + 1)
        jobs = _jobs_on(k, SHUFFLED, representations[BEFORE], plan.shuffled_attackers, again)
        trials = _run(jobs, seed + 1, 1, silent)
        batteries[k][SHUFFLED] = summarise(SHUFFLED, trials, attribute.task, tests[k])
