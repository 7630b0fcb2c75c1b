"""Draws the curves of finished batteries: each with the attacker that validation chose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sensitivenets.audit.attackers import Attacker
from sensitivenets.audit.battery import Battery, selected_trial
from sensitivenets.audit.curves import (
    fixed,
    learning_predictions,
    removal_predictions,
    to_curve,
)
from sensitivenets.audit.description_length import description_length
from sensitivenets.audit.preparations import STANDARDISED, Preparations
from sensitivenets.audit.scores import AttackedSet
from sensitivenets.audit.splits import IntArray
from sensitivenets.audit.trials import Task, Trial
from sensitivenets.audit.workers import run_jobs
from sensitivenets.embeddings import FloatArray
from sensitivenets.progress import Steps


@dataclass(frozen=True)
class _CurveJobs:
    """What is drawn for one attribute on one representation."""

    attribute: int
    representation: str
    attacker: Attacker
    trial: Trial
    X: FloatArray
    features: FloatArray
    task: Task


def add_curves(
    attributes: Sequence[tuple[Task, tuple[Attacker, ...]]],
    batteries: Sequence[dict[str, Battery]],
    tests: Sequence[AttackedSet],
    representations: Mapping[str, Preparations],
    identities: IntArray,
    *,
    seed: int,
    n_jobs: int,
    steps: Steps,
) -> None:
    """Put learning curve, removal curve and description length into finished batteries.

    Parameters
    ----------
    attributes : sequence of (Task, tuple of Attacker)
        What was read, and by whom.
    batteries : sequence of dict of str to Battery
        Of each attribute, by representation; those in `representations` are replaced.
    tests : sequence of AttackedSet
        Of each attribute.
    representations : mapping of str to Preparations
        Those to draw curves for.
    identities : ndarray
        Identity of each prepared row.
    seed : int
        Decides everything.
    n_jobs : int
        Processes.
    steps : Steps
        Told of each curve.
    """
    drawn = [
        job
        for k, (task, attackers) in enumerate(attributes)
        for name, prepared in representations.items()
        for job in _chosen(k, name, prepared, task, attackers, batteries[k][name])
    ]
    calls: list[tuple[Any, ...]] = []
    for job in drawn:
        chosen = (job.attacker, job.trial.preparation, job.X, job.task)
        calls.append((learning_predictions, *chosen, seed))
        calls.append((removal_predictions, job.attacker, job.features, job.task, seed))
        calls.append((description_length, *chosen, identities, seed))
    steps.total += len(calls)
    found = run_jobs(
        _call,
        calls,
        costs=[1.0] * len(calls),
        names=[f"{job.task.name}, {job.representation}: curves" for job in drawn for _ in range(3)],
        n_jobs=n_jobs,
        steps=steps,
    )
    for i, job in enumerate(drawn):
        learning, removal, length = found[3 * i : 3 * i + 3]
        battery, test = batteries[job.attribute][job.representation], tests[job.attribute]
        name = f"{job.attacker.name}, {job.trial.preparation}"
        result = replace(
            battery.result,
            learning_curve=to_curve(name, "labels", learning, test),
            removal_curve=to_curve(
                f"{job.attacker.name}, standardised", "share of features removed", removal, test
            ),
            description_length=length,
        )
        batteries[job.attribute][job.representation] = replace(battery, result=result)


def _chosen(
    attribute: int,
    name: str,
    prepared: Preparations,
    task: Task,
    attackers: Sequence[Attacker],
    battery: Battery,
) -> list[_CurveJobs]:
    trial = selected_trial(battery)
    if trial is None:
        return []
    attacker = next(a for a in attackers if a.name == trial.attacker)
    rows = prepared.by_name[trial.preparation]
    X = rows.coordinates if attacker.sees_coordinates else rows.rotated
    features = prepared.by_name[STANDARDISED].coordinates[:, : prepared.n_varying]
    return [_CurveJobs(attribute, name, fixed(attacker, trial), trial, X, features, task)]


def _call(function: Any, *arguments: Any) -> Any:
    return function(*arguments)
