"""What an attacker reads from fewer labels and from fewer features (Fig. 3), and in bits a label.

The last is the minimum description length of the labels given the embeddings, by an online code:
Voita and Titov, "Information-theoretic probing with minimum description length" (EMNLP 2020). A
sender codes the labels block after block with an attacker trained on the blocks before. A high
accuracy from few labels makes the code short, so one figure holds accuracy and effort.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from sensitivenets.audit.attack import Attacker, Trial, Workers, run_jobs, run_trial, seeded
from sensitivenets.audit.battery import Battery, selected_trial
from sensitivenets.audit.metrics import TrueLabels, balanced_accuracy
from sensitivenets.audit.preparations import (
    L2,
    RAW,
    STANDARDISED,
    WHITENED,
    Preparations,
    prepare,
)
from sensitivenets.audit.results import Curve, CurvePoint, DescriptionLength
from sensitivenets.audit.splits import IntArray
from sensitivenets.audit.tasks import ClassTask, class_scores, seed_of
from sensitivenets.embeddings import FloatArray
from sensitivenets.progress import Steps

REMOVED_SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.98)
_FEWEST_LABELS = 100
_N_SEEDS = 3
# The removal curve compares shares with one another: fewer rows, more seeds.
_REMOVAL_ROWS = 2500
# Ways to prepare features of which some are gone.
_OF_FEWER_FEATURES = (RAW, L2, STANDARDISED, WHITENED)
_BLOCK_ENDS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)
# Fewer labels than this of a class calibrate nothing: the block is coded by class shares.
_FEWEST_PER_CLASS = 10
_CALIBRATION_SHARE = 0.25
_MOST_ROWS = 20_000
# No probability below this: one surprise must not cost more than 17 bits.
_SMALLEST = 1e-5

Predictions = npt.NDArray[np.int64]


def fixed(attacker: Attacker, trial: Trial) -> Attacker:
    """Return the attacker with what a trial chose, parameters and sign; one seed, no tuning."""
    chosen = [c for c in attacker.candidates if c[0] == trial.parameters]
    candidates = tuple(chosen[:1] or attacker.candidates[:1])
    return replace(attacker, candidates=candidates, n_seeds=1, turned=trial.turned)


def label_counts(n_train: int) -> tuple[int, ...]:
    """Labels the attacker has along the learning curve: 100, 300, 1000, ... and all."""
    counts, count = [], _FEWEST_LABELS
    while count < 0.7 * n_train:
        counts.append(count)
        count = round(count * 3.16 / 100) * 100 if count > _FEWEST_LABELS else 300
    return (*counts, n_train)


def learning_predictions(
    attacker: Attacker, name: str, X: FloatArray, task: ClassTask, seed: int
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
    task : ClassTask
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
        points.append((count, predict_parts(attacker, name, X, task, count, seed, n_seeds)))
    return points


def removal_predictions(
    attacker: Attacker, name: str, X: FloatArray, task: ClassTask, seed: int
) -> list[tuple[float, list[Predictions]]]:
    """Predict the test rows with a share of the features removed before training (Fig. 3).

    What is left is prepared anew, as whoever holds fewer features would.

    Parameters
    ----------
    attacker : Attacker
        With fixed parameters.
    name : str
        Name of the preparation.
    X : ndarray of shape (n, d)
        The features as they are, training rows first.
    task : ClassTask
        What is to be read.
    seed : int
        Decides the features.

    Returns
    -------
    list of (float, list of ndarray)
        Share removed, and predictions for each seed that worked.
    """
    points, n_train = [], int(task.train.max()) + 1
    for share in REMOVED_SHARES:
        kept = max(round((1 - share) * X.shape[1]), 1)
        worked = []
        for k in range(_N_SEEDS):
            rng = np.random.default_rng(seed_of(seed, task.name, f"removal {k}"))
            # One order of the features for each seed: what 20 % removes, 40 % removes too.
            features = np.sort(rng.permutation(X.shape[1])[:kept])
            rows = np.sort(rng.permutation(task.train)[:_REMOVAL_ROWS])
            left = prepare(X[:, features], n_train, names=(name,)).by_name.get(name)
            if left is None:
                continue
            trial = run_trial(attacker, name, left.coordinates, task.trained_on(rows), seed + k)
            worked += [trial.predictions] if trial.outputs is not None else []
        points.append((share, worked))
    return points


def to_curve(
    attacker: str,
    x_label: str,
    points: Sequence[tuple[float, list[Predictions]]],
    truth: TrueLabels,
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
    truth : TrueLabels
        Of the test rows.

    Returns
    -------
    Curve
        Without the points where every seed failed.
    """
    return Curve(
        attacker, x_label, tuple(_point(x, worked, truth) for x, worked in points if worked)
    )


def _point(x: float, worked: list[Predictions], truth: TrueLabels) -> CurvePoint:
    value = float(np.mean([balanced_accuracy(truth.y, predicted) for predicted in worked]))
    draws = truth.draws(np.stack(worked, axis=1))
    rng = np.random.default_rng(truth.seed)
    seeds = rng.integers(draws.shape[1], size=draws.shape)
    low, high = truth.interval(value, np.take_along_axis(draws, seeds, axis=1).mean(axis=1))
    return CurvePoint(float(x), value, low, high, len(truth.y) * len(worked))


def predict_parts(
    attacker: Attacker,
    name: str,
    X: FloatArray,
    task: ClassTask,
    count: int,
    seed: int,
    n_seeds: int,
) -> list[Predictions]:
    """Predict the test rows from so many training labels, for each seed that works."""
    worked = []
    for k in range(n_seeds):
        rng = np.random.default_rng(seed_of(seed, task.name, f"labels {k}"))
        rows = np.sort(rng.permutation(task.train)[:count])
        trial = run_trial(attacker, name, X, task.trained_on(rows), seed + k)
        worked += [trial.predictions] if trial.outputs is not None else []
    return worked


def description_length(
    attacker: Attacker,
    name: str,
    X: FloatArray,
    task: ClassTask,
    identities: IntArray,
    seed: int,
) -> DescriptionLength:
    """Code the training labels online, in bits per row; lower means easier to read.

    The attacker's scores become probabilities by a logistic regression on a quarter of the
    identities already seen. The first rows are coded by class shares.

    Parameters
    ----------
    attacker : Attacker
        With fixed parameters.
    name : str
        Name of the preparation.
    X : ndarray of shape (n, d)
        Prepared rows.
    task : ClassTask
        What is to be read; its training rows are coded, 20 000 at most.
    identities : ndarray of shape (n,)
        Identity of each row; an identity's rows are coded one after the other.
    seed : int
        Decides the order.

    Returns
    -------
    DescriptionLength
        See there.
    """
    seed = seed_of(seed, task.name, "description length")
    rows = _in_order(task.train, identities, seed)
    n, n_classes = len(rows), len(task.classes)
    bits, prior_bits, start = 0.0, 0.0, 0
    for share in _BLOCK_ENDS:
        end = max(round(share * n), start)
        seen, block = rows[:start], rows[start:end]
        if len(block):
            prior = _shares(task.y[seen], n_classes)
            by_prior = np.tile(prior, (len(block), 1))
            probabilities = _predict(attacker, X, task, seen, block, seed)
            prior_bits += _bits(by_prior, task.y[block])
            bits += _bits(by_prior if probabilities is None else probabilities, task.y[block])
        start = end
    return DescriptionLength(
        attacker=f"{attacker.name}, {name}",
        bits_per_row=bits / n,
        uniform_bits_per_row=float(np.log2(n_classes)),
        prior_bits_per_row=prior_bits / n,
        n=n,
    )


def _in_order(train: IntArray, identities: IntArray, seed: int) -> IntArray:
    distinct, index = np.unique(identities[train], return_inverse=True)
    place = np.random.default_rng(seed).permutation(len(distinct))
    return train[np.argsort(place[index], kind="stable")][:_MOST_ROWS]


def _shares(y: IntArray, n_classes: int) -> FloatArray:
    counts = np.bincount(y, minlength=n_classes) + 1.0
    return np.asarray(counts / counts.sum())


def _predict(
    attacker: Attacker, X: FloatArray, task: ClassTask, seen: IntArray, block: IntArray, seed: int
) -> FloatArray | None:
    """Calibrated probabilities for a block, or None where too little was seen, or on failure."""
    cut = round((1 - _CALIBRATION_SHARE) * len(seen))
    fit, calibrate = seen[:cut], seen[cut:]
    n_classes = len(task.classes)
    if np.bincount(task.y[fit], minlength=n_classes).min() < _FEWEST_PER_CLASS:
        return None
    if len(np.unique(task.y[calibrate])) < n_classes:
        return None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # its trial in the battery has reported them
        try:
            model = seeded(attacker.candidates[0][1], seed, always=True)
            model.fit(X[fit].astype(np.float64), task.y[fit])
            held_out = class_scores(model, X[calibrate].astype(np.float64), n_classes, None)
            scale = max(float(held_out.std()), 1e-12)
            calibration = LogisticRegression().fit(held_out / scale, task.y[calibrate])
            scores = class_scores(model, X[block].astype(np.float64), n_classes, None)
            return np.asarray(calibration.predict_proba(scores / scale))
        except Exception:  # noqa: BLE001 - as in a trial; the block is then coded by class shares
            return None


def _bits(probabilities: FloatArray, y: IntArray) -> float:
    n_classes = probabilities.shape[1]
    floored = (1 - n_classes * _SMALLEST) * probabilities + _SMALLEST
    return float(-np.log2(floored[np.arange(len(y)), y]).sum())


@dataclass(frozen=True)
class _Drawn:
    """Whose curves are drawn: one attacker of one attribute on one representation."""

    attribute: int
    representation: str
    attacker: Attacker
    preparation: str
    X: FloatArray
    strongest: Attacker
    strongest_on: str
    features: FloatArray
    task: ClassTask

    def calls(self, identities: IntArray, seed: int) -> list[tuple[Any, ...]]:
        chosen = (self.attacker, self.preparation, self.X, self.task)
        strongest = (self.strongest, self.strongest_on, self.features, self.task)
        return [
            (learning_predictions, *chosen, seed),
            (removal_predictions, *strongest, seed),
            (description_length, *chosen, identities, seed),
        ]

    @property
    def removal_name(self) -> str:
        """Whose removal curve it is, and from how many labels."""
        n_rows = min(len(self.task.train), _REMOVAL_ROWS)
        return f"{self.strongest.name}, {self.strongest_on}, {n_rows} labels"


def add_curves(
    tasks: Sequence[ClassTask],
    attackers: Sequence[Attacker],
    batteries: Sequence[dict[str, Battery]],
    truths: Sequence[TrueLabels],
    representations: Mapping[str, Preparations],
    identities: IntArray,
    *,
    seed: int,
    workers: Workers,
    steps: Steps,
) -> None:
    """Put learning curve, removal curve and description length into finished batteries.

    Parameters
    ----------
    tasks : sequence of ClassTask
        What was read.
    attackers : sequence of Attacker
        By whom.
    batteries : sequence of dict of str to Battery
        Of each attribute, by representation; those in `representations` are replaced.
    truths : sequence of TrueLabels
        Of each attribute.
    representations : mapping of str to Preparations
        Those to draw curves for.
    identities : ndarray
        Identity of each prepared row.
    seed : int
        Decides everything.
    workers : Workers
        Who does the jobs.
    steps : Steps
        Told of each curve.
    """
    drawn = [
        one
        for k, task in enumerate(tasks)
        for name, prepared in representations.items()
        for one in _chosen(k, name, prepared, task, attackers, batteries[k][name])
    ]
    calls = [call for one in drawn for call in one.calls(identities, seed)]
    steps.total += len(calls)
    found = run_jobs(
        _call,
        calls,
        costs=[1.0] * len(calls),
        names=[f"{one.task.name}, {one.representation}: curves" for one in drawn for _ in range(3)],
        workers=workers,
        steps=steps,
    )
    for i, one in enumerate(drawn):
        learning, removal, length = found[3 * i : 3 * i + 3]
        battery, truth = batteries[one.attribute][one.representation], truths[one.attribute]
        name = one.attacker.name
        result = replace(
            battery.result,
            learning_curve=to_curve(f"{name}, {one.preparation}", "labels", learning, truth),
            removal_curve=to_curve(one.removal_name, "share of features removed", removal, truth),
            description_length=length,
        )
        batteries[one.attribute][one.representation] = replace(battery, result=result)


def _chosen(
    attribute: int,
    name: str,
    prepared: Preparations,
    task: ClassTask,
    attackers: Sequence[Attacker],
    battery: Battery,
) -> list[_Drawn]:
    trial = selected_trial(battery)
    if trial is None:
        return []
    attacker = next(a for a in attackers if a.name == trial.attacker)
    X = attacker.views(prepared)[trial.preparation]
    top = battery.trials[battery.best]
    named = {a.name: a for a in attackers}
    if top.attacker not in named or top.preparation not in _OF_FEWER_FEATURES:
        top = trial
    on = top.preparation if top.preparation in _OF_FEWER_FEATURES else WHITENED
    return [
        _Drawn(
            attribute=attribute,
            representation=name,
            attacker=fixed(attacker, trial),
            preparation=trial.preparation,
            X=X,
            strongest=fixed(named[top.attacker], top),
            strongest_on=on,
            features=prepared.by_name[RAW].coordinates,
            task=task,
        )
    ]


def _call(function: Any, *arguments: Any) -> Any:
    return function(*arguments)
