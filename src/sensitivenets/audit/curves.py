"""Curves: what an attacker reads from fewer labels, and from fewer features (Fig. 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sensitivenets.audit.attackers.catalogue import Attacker
from sensitivenets.audit.battery import Battery, selected_trial
from sensitivenets.audit.description_length import description_length
from sensitivenets.audit.preparations import STANDARDISED, Preparations
from sensitivenets.audit.results import Curve, CurvePoint
from sensitivenets.audit.scores import AttackedSet, balanced_accuracy
from sensitivenets.audit.splits import IntArray
from sensitivenets.audit.tasks import AttackTask, seed_of
from sensitivenets.audit.trials import Trial, run_trial
from sensitivenets.audit.workers import run_jobs
from sensitivenets.embeddings import FloatArray
from sensitivenets.progress import Steps

REMOVED_SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.98)
_FEWEST_LABELS = 100
_N_SEEDS = 3
# The removal curve compares shares with one another: fewer rows, more seeds.
_REMOVAL_ROWS = 2500

Predictions = npt.NDArray[np.int64]


def fixed(attacker: Attacker, trial: Trial) -> Attacker:
    """Return the attacker with the parameters that a trial chose, one seed and no tuning."""
    chosen = [c for c in attacker.candidates if c[0] == trial.parameters]
    return replace(attacker, candidates=tuple(chosen[:1] or attacker.candidates[:1]), n_seeds=1)


def label_counts(n_train: int) -> tuple[int, ...]:
    """Labels the attacker has along the learning curve: 100, 300, 1000, ... and all."""
    counts, count = [], _FEWEST_LABELS
    while count < 0.7 * n_train:
        counts.append(count)
        count = round(count * 3.16 / 100) * 100 if count > _FEWEST_LABELS else 300
    return (*counts, n_train)


def learning_predictions(
    attacker: Attacker, name: str, X: FloatArray, task: AttackTask, seed: int
) -> list[tuple[int, list[Predictions]]]:
    """Predict the test rows from growing parts of the training labels, for several seeds.

    Parameters
    ----------
    attacker : Attacker
        With fixed parameters.
    name : str
        Name of the preparation.
    X : ndarray of shape (n, d)
        Prepared rows.
    task : AttackTask
        What is to be read.
    seed : int
        Decides the parts.

    Returns
    -------
    list of (int, list of ndarray)
        Number of labels, and predictions for each seed that worked.
    """
    points = []
    for count in label_counts(len(task.train)):
        n_seeds = _N_SEEDS if count < len(task.train) else 1
        points.append((count, _predict_parts(attacker, name, X, task, count, seed, n_seeds)))
    return points


def removal_predictions(
    attacker: Attacker, X: FloatArray, task: AttackTask, seed: int
) -> list[tuple[float, list[Predictions]]]:
    """Predict the test rows with a share of the features removed before training (Fig. 3).

    Parameters
    ----------
    attacker : Attacker
        With fixed parameters.
    X : ndarray of shape (n, d)
        The features one by one, standardised, without the norm.
    task : AttackTask
        What is to be read.
    seed : int
        Decides the features.

    Returns
    -------
    list of (float, list of ndarray)
        Share removed, and predictions for each seed that worked.
    """
    points = []
    for share in REMOVED_SHARES:
        kept = max(round((1 - share) * X.shape[1]), 1)
        worked = []
        for k in range(_N_SEEDS):
            rng = np.random.default_rng(seed_of(seed, task.name, f"removal {k}"))
            # One order of the features for each seed: what 20 % removes, 40 % removes too.
            features = np.sort(rng.permutation(X.shape[1])[:kept])
            rows = np.sort(rng.permutation(task.train)[:_REMOVAL_ROWS])
            part = _without_tuning(task, rows)
            trial = run_trial(attacker, "standardised", X[:, features], part, seed + k)
            worked += [trial.predictions] if trial.predictions is not None else []
        points.append((share, worked))
    return points


def to_curve(
    attacker: str,
    x_label: str,
    points: Sequence[tuple[float, list[Predictions]]],
    test: AttackedSet,
) -> Curve:
    """Turn predictions into a curve; the interval resamples identities and seeds together.

    Parameters
    ----------
    attacker : str
        Name to show.
    x_label : str
        What x counts.
    points : sequence of (float, list of ndarray)
        From the functions above.
    test : AttackedSet
        The labels attacked.

    Returns
    -------
    Curve
        Without the points where every seed failed.
    """
    return Curve(
        attacker, x_label, tuple(_point(x, worked, test) for x, worked in points if worked)
    )


def _point(x: float, worked: list[Predictions], test: AttackedSet) -> CurvePoint:
    value = float(np.mean([balanced_accuracy(test.y, predicted) for predicted in worked]))
    draws = test.draws(np.stack(worked, axis=1))
    rng = np.random.default_rng(test.seed)
    seeds = rng.integers(draws.shape[1], size=draws.shape)
    low, high = test.interval(value, np.take_along_axis(draws, seeds, axis=1).mean(axis=1))
    return CurvePoint(float(x), value, low, high, len(test.y) * len(worked))


def _predict_parts(
    attacker: Attacker,
    name: str,
    X: FloatArray,
    task: AttackTask,
    count: int,
    seed: int,
    n_seeds: int,
) -> list[Predictions]:
    worked = []
    for k in range(n_seeds):
        rng = np.random.default_rng(seed_of(seed, task.name, f"labels {k}"))
        rows = np.sort(rng.permutation(task.train)[:count])
        trial = run_trial(attacker, name, X, _without_tuning(task, rows), seed + k)
        worked += [trial.predictions] if trial.predictions is not None else []
    return worked


def _without_tuning(task: AttackTask, train: IntArray) -> AttackTask:
    none = np.empty(0, dtype=np.int64)
    return replace(task, train=train, tune=none, validate=none)


@dataclass(frozen=True)
class _CurveJobs:
    """What is drawn for one attribute on one representation."""

    attribute: int
    representation: str
    attacker: Attacker
    trial: Trial
    X: FloatArray
    features: FloatArray
    task: AttackTask


def add_curves(
    attributes: Sequence[tuple[AttackTask, tuple[Attacker, ...]]],
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
    attributes : sequence of (AttackTask, tuple of Attacker)
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
    task: AttackTask,
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
