"""Balanced accuracy, AUC and R2, with intervals and noise bounds that respect identities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp
from scipy.stats import rankdata

from sensitivenets.audit.splits import IntArray
from sensitivenets.embeddings import FloatArray
from sensitivenets.intervals import (
    draw_subjects,
    percentile_interval,
    rate_interval,
    rule_of_three,
)

N_DRAWS = 1000
# Of many identities fewer draws are enough, and their weights fit into memory.
_FEWEST_DRAWS = 200
_WEIGHTS = 20_000_000
# Draws at a time: bounds the memory of a table of 100 000 test rows.
_CHUNK = 50
_NOISE_QUANTILE = 0.99


def balanced_accuracy(y: IntArray, predicted: IntArray) -> float:
    """Mean recall over the classes that occur in `y`, in [0, 1]; higher means more is read."""
    classes, index = np.unique(y, return_inverse=True)
    recalls = np.bincount(index, weights=predicted == y) / np.bincount(index)
    return float(recalls.mean()) if len(classes) else float("nan")


def mean_auc(y: IntArray, scores: FloatArray) -> float | None:
    """Area under the ROC curve of each class against the rest, mean over the classes.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Class codes 0 to K - 1, each present.
    scores : ndarray of shape (n, K)
        Log posteriors, each row up to a constant.

    Returns
    -------
    float or None
        In [0, 1]; None if a score is not finite.
    """
    if not np.isfinite(scores).all():
        return None
    if scores.shape[1] == 2:
        return _auc(y == 1, scores[:, 1] - scores[:, 0])
    posteriors = scores - logsumexp(scores, axis=1, keepdims=True)
    return float(np.mean([_auc(y == k, column) for k, column in enumerate(posteriors.T)]))


def _auc(positive: npt.NDArray[np.bool_], scores: FloatArray) -> float:
    """Share of pairs in which the positive row scores higher, ties half (Mann and Whitney)."""
    ranks = rankdata(scores)
    n_positive = int(positive.sum())
    above = ranks[positive].sum() - n_positive * (n_positive + 1) / 2
    return float(above / (n_positive * (len(scores) - n_positive)))


def r_squared(truth: FloatArray, predicted: FloatArray) -> float:
    """1 - squared error / squared distance to the mean: 1 is perfect, 0 the mean."""
    total = float(np.sum((truth - truth.mean()) ** 2))
    return 1 - float(np.sum((truth - predicted) ** 2)) / max(total, 1e-300)


def _draw_identities(identities: IntArray, seed: int) -> tuple[IntArray, FloatArray]:
    """Return numbers of the m identities, and draws of m of them, up to `N_DRAWS` times."""
    index = np.unique(identities, return_inverse=True)[1]
    m = int(index.max()) + 1
    n_draws = min(N_DRAWS, max(_FEWEST_DRAWS, _WEIGHTS // m))
    weights = np.empty((n_draws, m), dtype=np.float32)
    for row, draw in zip(weights, draw_subjects(m, n_draws, seed), strict=True):
        row[:] = draw
    return index, weights


@dataclass(frozen=True)
class TrueLabels:
    """Labels and identities of the test rows, and the draws that all intervals share.

    Attributes
    ----------
    y : ndarray of shape (n,)
        Class codes 0 to K - 1, each present.
    n_classes : int
        K.
    identities : ndarray of shape (n,)
        Identity number of each row, 0 to m - 1.
    weights : ndarray of shape (draws, m), float32
        How often each bootstrap draw takes each identity.
    seed : int
        Decides the permutations of the noise bound.
    """

    y: IntArray
    n_classes: int
    identities: IntArray
    weights: FloatArray
    seed: int

    @classmethod
    def make(cls, y: IntArray, n_classes: int, identities: IntArray, seed: int) -> TrueLabels:
        """Draw the bootstrap weights: m identities with replacement, up to `N_DRAWS` times."""
        return cls(y, n_classes, *_draw_identities(identities, seed), seed)

    def draws(self, predictions: npt.NDArray[np.int64]) -> FloatArray:
        """Balanced accuracy of each attacker in each bootstrap draw.

        Parameters
        ----------
        predictions : ndarray of shape (n, attackers)
            Predicted class codes.

        Returns
        -------
        ndarray of shape (draws, attackers)
            A class that a draw misses does not count in it.
        """
        recalls = np.zeros((len(self.weights), predictions.shape[1]))
        present = np.zeros((len(self.weights), 1))
        for label in range(self.n_classes):
            rows = self.y == label
            correct = self._sum_by_identity(rows, predictions == label)
            n_rows = self._sum_by_identity(rows, np.ones((len(self.y), 1)))
            total = self.weights @ n_rows
            recalls += self.weights @ correct / np.maximum(total, 1)
            present += total > 0
        return recalls / np.maximum(present, 1)

    @property
    def n_identities(self) -> int:
        """Identities attacked."""
        return int(self.weights.shape[1])

    def interval(self, value: float, draws: FloatArray) -> tuple[float, float]:
        """95 % percentile interval; a perfect score on few identities is not certain either."""
        return rate_interval(value, *percentile_interval(draws), self.n_identities)

    def noise_draws(self, predictions: npt.NDArray[np.int64]) -> FloatArray:
        """Best balanced accuracy of these predictions against permuted labels, shape (draws,).

        Labels move between identities as a whole where each identity has one label, else
        between rows.
        """
        rng = np.random.default_rng([self.seed, 1])
        hits = [(predictions == label).astype(np.float32) for label in range(self.n_classes)]
        best = [self._permuted_best(rng, hits) for _ in range(0, N_DRAWS, _CHUNK)]
        return np.concatenate(best)

    def _permuted_best(self, rng: np.random.Generator, hits: list[FloatArray]) -> FloatArray:
        permuted = np.stack([self._permute(rng) for _ in range(_CHUNK)])
        total = np.zeros((_CHUNK, hits[0].shape[1]))
        for label, hit in enumerate(hits):
            rows = (permuted == label).astype(np.float32)
            total += rows @ hit / np.maximum(rows.sum(axis=1, keepdims=True), 1)
        return np.asarray(total.max(axis=1) / self.n_classes)

    def _permute(self, rng: np.random.Generator) -> IntArray:
        m = self.n_identities
        if m == len(self.y):
            return rng.permutation(self.y)
        label_of = np.zeros(m, dtype=np.int64)
        label_of[self.identities] = self.y
        if np.array_equal(label_of[self.identities], self.y):
            return np.asarray(rng.permutation(label_of)[self.identities])
        return rng.permutation(self.y)

    def _sum_by_identity(self, rows: npt.NDArray[np.bool_], values: npt.NDArray) -> FloatArray:  # type: ignore[type-arg]
        sums = np.zeros((self.n_identities, values.shape[1]), dtype=np.float32)
        np.add.at(sums, self.identities[rows], values[rows].astype(np.float32))
        return sums


@dataclass(frozen=True)
class TrueValues:
    """Values and identities of the test rows, and the draws that all intervals share.

    Attributes
    ----------
    y : ndarray of shape (n,)
        Values of the continuous attribute.
    identities : ndarray of shape (n,)
        Identity number of each row, 0 to m - 1.
    weights : ndarray of shape (draws, m), float32
        How often each bootstrap draw takes each identity.
    """

    y: FloatArray
    identities: IntArray
    weights: FloatArray

    @classmethod
    def make(cls, y: FloatArray, identities: IntArray, seed: int) -> TrueValues:
        """Draw the bootstrap weights: m identities with replacement, up to `N_DRAWS` times."""
        return cls(y, *_draw_identities(identities, seed))

    def interval(self, predicted: FloatArray) -> tuple[float, float]:
        """95 % percentile interval of R2, of values of shape (n,); it holds the value itself."""
        value = r_squared(self.y, predicted)
        low, high = percentile_interval(self._draws(predicted))
        return min(low, value), max(high, value)

    def _draws(self, predicted: FloatArray) -> FloatArray:
        columns = [np.ones_like(self.y), self.y, self.y**2, (self.y - predicted) ** 2]
        sums = np.zeros((self.weights.shape[1], 4))
        np.add.at(sums, self.identities, np.stack(columns, axis=1))
        n, total, squares, errors = (self.weights @ sums).T
        spread = squares - total**2 / n
        return np.asarray(1 - errors / np.maximum(spread, 1e-300))


@dataclass(frozen=True)
class Strongest:
    """The best balanced accuracy of a battery, its interval, and what noise would reach.

    Attributes
    ----------
    column : int
        Which attacker.
    value, low, high : float
        Balanced accuracy and its 95 % interval.
    noise_bound : float
        99 % quantile of the best under permuted labels.
    """

    column: int
    value: float
    low: float
    high: float
    noise_bound: float


def strongest_of(
    truth: TrueLabels, predictions: npt.NDArray[np.int64], n_tests: int = 1
) -> Strongest:
    """Find the strongest attacker, with the interval that `Headline` describes.

    Parameters
    ----------
    truth : TrueLabels
        Of the test rows.
    predictions : ndarray of shape (n, attackers)
        Predicted class codes.
    n_tests : int
        Noise bounds looked at together: each is passed by luck that many times less often.

    Returns
    -------
    Strongest
        See there.
    """
    values = [balanced_accuracy(truth.y, column) for column in predictions.T]
    column = int(np.argmax(values))
    value = values[column]
    # No attacker strays further from its true value than this in 95 of 100 draws, so neither
    # does the largest of them from the true largest.
    strayed = np.abs(truth.draws(predictions) - np.asarray(values)).max(axis=1)
    unseen = rule_of_three(truth.n_identities) if value == 1 else 0.0
    half = max(float(np.quantile(strayed, 0.95)), unseen)
    quantile = 1 - (1 - _NOISE_QUANTILE) / n_tests
    noise = float(np.quantile(truth.noise_draws(predictions), quantile))
    return Strongest(column, value, max(value - half, 0.0), min(value + half, 1.0), noise)


def reduction_interval(
    before: FloatArray, after: FloatArray, chance: float
) -> tuple[float, float] | None:
    """95 % interval of (before - after) / (before - chance) over shared bootstrap draws.

    Parameters
    ----------
    before, after : ndarray of shape (draws,)
        Balanced accuracy in each draw.
    chance : float
        Of a guess.

    Returns
    -------
    tuple of float, or None
        None if `before` is not above chance in nearly every draw.
    """
    headroom = before - chance
    if np.quantile(headroom, 0.025) <= 0:
        return None
    return percentile_interval((before - after) / np.maximum(headroom, 1e-9))
