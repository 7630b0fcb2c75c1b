"""Accuracy of yes/no decisions, with thresholds chosen exactly on other pairs where there are any.

Every threshold that decides differently is a candidate, not a grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from sensitivenets.errors import InputError
from sensitivenets.intervals import Estimate, student_t_interval, wilson
from sensitivenets.serialisation import decode_fields
from sensitivenets.verification.pairs import BoolArray, IntArray
from sensitivenets.verification.scores import Float64Array


@dataclass(frozen=True)
class Accuracy:
    """Share of pairs decided rightly.

    Attributes
    ----------
    estimate : Estimate
        Fraction in [0, 1], higher is better; `n` counts the pairs.
    standard_error : float
        Over folds: standard deviation (n - 1) / sqrt(folds). For one part: binomial.
    thresholds : tuple of float
        One for each fold: cosine similarities at or above it are called one subject.
    folds : tuple of float
        Accuracy of each fold.
    chosen_on : str
        On which pairs the thresholds were chosen.
    interval : str
        How the interval was computed.
    """

    estimate: Estimate
    standard_error: float
    thresholds: tuple[float, ...]
    folds: tuple[float, ...]
    chosen_on: str
    interval: str

    @property
    def value(self) -> float:
        """The accuracy itself."""
        return self.estimate.value

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self.estimate) | {
            "standard_error": self.standard_error,
            "thresholds": list(self.thresholds),
            "folds": list(self.folds),
            "chosen_on": self.chosen_on,
            "interval": self.interval,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Accuracy:
        """Rebuild from what `to_dict` returned.

        Raises
        ------
        InputError
            If a field is missing, unknown or of another type.
        """
        ends = {field.name for field in fields(Estimate)}
        rest = {key: value for key, value in data.items() if key not in ends}
        estimate = {key: value for key, value in data.items() if key in ends}
        accuracy = decode_fields({"estimate": estimate} | rest, cls, "accuracy")
        assert isinstance(accuracy, cls)
        return accuracy


def best_threshold(scores: Float64Array, same: BoolArray) -> float:
    """Find the threshold that decides most pairs rightly.

    All thresholds between neighbouring distinct scores, and one beyond each end, are tried; among
    equally good ones the middle of the widest gap is taken.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Similarities; higher is more alike.
    same : ndarray of shape (n,), bool
        True for genuine pairs.

    Returns
    -------
    float

    Raises
    ------
    InputError
        If there is no pair.

    Examples
    --------
    >>> best_threshold(np.array([0.75, 0.5, 0.25, 0.0]), np.array([True, True, False, False]))
    0.375
    """
    if not len(scores):
        raise InputError("expected pairs to choose a threshold on, found none")
    distinct, inverse = np.unique(scores, return_inverse=True)
    genuine = np.bincount(inverse, weights=same, minlength=len(distinct))
    impostor = np.bincount(inverse, weights=~same, minlength=len(distinct))
    # right[k]: impostors below the k-th distinct score plus genuine pairs at or above it.
    right = np.concatenate([[0], np.cumsum(impostor)]) + np.concatenate([
        [genuine.sum()],
        genuine.sum() - np.cumsum(genuine),
    ])
    edges = np.concatenate([[distinct[0]], distinct, [np.nextafter(distinct[-1], np.inf)]])
    widths = np.where(right == right.max(), np.diff(edges), -1)
    chosen = int(np.argmax(widths))
    low, high = float(edges[chosen]), float(edges[chosen + 1])
    middle = (low + high) / 2
    # Between neighbouring floats the middle rounds, perhaps to the lower score, which would match.
    return middle if middle > low else high


def decide_accuracy(scores: Float64Array, same: BoolArray, threshold: float) -> float:
    """Share of pairs that ``score >= threshold`` decides rightly."""
    return float(np.mean((scores >= threshold) == same))


def cross_validated_accuracy(scores: Float64Array, same: BoolArray, fold: IntArray) -> Accuracy:
    """LFW view 2: decide each fold with the best threshold of all other folds.

    The interval is Student's t over the folds, which share no subject in LFW.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Similarities; higher is more alike.
    same : ndarray of shape (n,), bool
        True for genuine pairs.
    fold : ndarray of shape (n,), int64
        At least two folds.

    Returns
    -------
    Accuracy
        Its estimate is the mean over folds.
    """
    thresholds, accuracies = [], []
    for number in np.unique(fold):
        test = fold == number
        threshold = best_threshold(scores[~test], same[~test])
        thresholds.append(threshold)
        accuracies.append(decide_accuracy(scores[test], same[test], threshold))
    mean = float(np.mean(accuracies))
    error = float(np.std(accuracies, ddof=1) / np.sqrt(len(accuracies)))
    return Accuracy(
        Estimate(mean, *student_t_interval(mean, error, len(accuracies)), len(scores)),
        error,
        tuple(thresholds),
        tuple(accuracies),
        chosen_on="all other folds",
        interval=f"Student's t over {len(accuracies)} folds",
    )


def trained_threshold_accuracy(
    training_scores: Float64Array,
    training_same: BoolArray,
    scores: Float64Array,
    same: BoolArray,
) -> Accuracy:
    """LFW view 1: decide the test pairs with the best threshold of the training pairs."""
    threshold = best_threshold(training_scores, training_same)
    return _one_part(scores, same, threshold, f"{len(training_scores)} training pairs")


def best_threshold_accuracy(scores: Float64Array, same: BoolArray) -> Accuracy:
    """Best accuracy over all thresholds on the pairs themselves: an optimistic figure."""
    threshold = best_threshold(scores, same)
    return _one_part(scores, same, threshold, "the tested pairs themselves (optimistic)")


def _one_part(scores: Float64Array, same: BoolArray, threshold: float, chosen_on: str) -> Accuracy:
    accuracy = decide_accuracy(scores, same, threshold)
    n = len(scores)
    return Accuracy(
        Estimate(accuracy, *wilson(round(accuracy * n), n), n),
        float(np.sqrt(accuracy * (1 - accuracy) / n)),
        (threshold,),
        (accuracy,),
        chosen_on=chosen_on,
        interval="Wilson, pairs taken as independent",
    )
