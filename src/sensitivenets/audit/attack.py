"""Runs the attackers of a plan on all representations and attributes, and joins what they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sensitivenets.audit.attackers.catalogue import Attacker
from sensitivenets.audit.battery import Battery, summarise
from sensitivenets.audit.comparison import join
from sensitivenets.audit.curves import add_curves
from sensitivenets.audit.plan import AuditPlan
from sensitivenets.audit.preparations import Preparations
from sensitivenets.audit.results import AFTER, BEFORE, PROJECTED, SHUFFLED, AttributeResult
from sensitivenets.audit.scores import AttackedSet
from sensitivenets.audit.splits import IntArray
from sensitivenets.audit.tasks import AttackTask, seed_of
from sensitivenets.audit.trials import Trial, run_trial
from sensitivenets.audit.workers import run_jobs
from sensitivenets.embeddings import FloatArray
from sensitivenets.progress import Steps


@dataclass(frozen=True)
class AttackedAttribute:
    """One attribute to be read, and by whom.

    Attributes
    ----------
    task : AttackTask
        The attribute.
    attackers : tuple of Attacker
        Of each representation.
    is_joint : bool
        Whether it is the attributes crossed.
    notes : tuple of str
        About its classes.
    """

    task: AttackTask
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
    task: AttackTask


def attack(
    attributes: Sequence[AttackedAttribute],
    representations: Mapping[str, Preparations],
    plan: AuditPlan,
    identities: IntArray,
    *,
    seed: int,
    n_jobs: int,
    steps: Steps,
) -> tuple[AttributeResult, ...]:
    """Run every attacker, the controls and the curves, and join them by attribute.

    Parameters
    ----------
    attributes : sequence of AttackedAttribute
        What to read.
    representations : mapping of str to Preparations
        ``"before"``, and ``"after"``, ``"inverted"``, ``"random projection"`` where there are.
    plan : AuditPlan
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
    names = tuple(representations)
    shuffled = [shuffled_task(a.task, identities, seed) for a in attributes]
    jobs = _jobs(attributes, representations, plan, shuffled)
    steps.total += len(jobs)
    trials = _run(jobs, seed, n_jobs, steps)
    tests = [_attacked_set(a.task, identities, seed) for a in attributes]
    batteries = [
        {name: _battery(name, k, task, jobs, trials, representations, test) for name in names}
        | {SHUFFLED: _battery(SHUFFLED, k, other, jobs, trials, {}, control)}
        for k, (task, test, other, control) in enumerate(
            zip(
                [a.task for a in attributes],
                tests,
                shuffled,
                [_attacked_set(task, identities, seed) for task in shuffled],
                strict=True,
            )
        )
    ]
    for attribute, battery in zip(attributes, batteries, strict=True):
        if battery[SHUFFLED].result.strongest.above_chance:
            again = _shuffled_again(attribute, representations[BEFORE], plan, identities, seed + 1)
            battery[SHUFFLED] = again
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


def shuffled_task(task: AttackTask, identities: IntArray, seed: int) -> AttackTask:
    """Give each identity the labels of another one, training and test alike: nothing is left.

    Where every row of an identity has one label they stay together, so that the control has the
    same dependence between rows as the attack.
    """
    rng = np.random.default_rng(seed_of(seed, task.name, "shuffled"))
    rows = np.concatenate([task.train, task.test])
    _, first, index = np.unique(identities[rows], return_index=True, return_inverse=True)
    labels = task.y[rows]
    moved = rng.permutation(labels[first])[index]
    constant = np.array_equal(labels[first][index], labels)
    if not constant or _lacks_a_class(moved, len(task.train), len(task.classes)):
        moved = rng.permutation(labels)
    y = task.y.copy()
    y[rows] = moved
    return replace(task, y=y)


def _lacks_a_class(labels: IntArray, n_train: int, n_classes: int) -> bool:
    sides = (labels[:n_train], labels[n_train:])
    return any(len(np.unique(side)) < n_classes for side in sides)


def _jobs(
    attributes: Sequence[AttackedAttribute],
    representations: Mapping[str, Preparations],
    plan: AuditPlan,
    shuffled: Sequence[AttackTask],
) -> list[_Job]:
    jobs: list[_Job] = []
    for k, attribute in enumerate(attributes):
        for name, prepared in representations.items():
            attackers = plan.projection_attackers if name == PROJECTED else attribute.attackers
            jobs += _jobs_on(k, name, prepared, attackers, attribute.task)
        before, controls = representations[BEFORE], plan.shuffled_attackers
        jobs += _jobs_on(k, SHUFFLED, before, controls, shuffled[k])
    return jobs


def _jobs_on(
    attribute: int,
    name: str,
    prepared: Preparations,
    attackers: Sequence[Attacker],
    task: AttackTask,
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


def _attacked_set(task: AttackTask, identities: IntArray, seed: int) -> AttackedSet:
    return AttackedSet.make(
        task.y[task.test],
        len(task.classes),
        identities[task.test],
        seed_of(seed, task.name, "intervals"),
    )


def _battery(
    name: str,
    attribute: int,
    task: AttackTask,
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
    return summarise(name, own, task, test, notes)


def _shuffled_again(
    attribute: AttackedAttribute,
    before: Preparations,
    plan: AuditPlan,
    identities: IntArray,
    seed: int,
) -> Battery:
    """One shuffle in a hundred beats the noise bound by luck; a broken audit does it twice."""
    task = shuffled_task(attribute.task, identities, seed)
    jobs = _jobs_on(0, SHUFFLED, before, plan.shuffled_attackers, task)
    trials = _run(jobs, seed, 1, Steps(0))
    return summarise(SHUFFLED, trials, task, _attacked_set(task, identities, seed))
