"""An estimate, no bound, of what the best attacker reads: from nearest neighbours, if it behaves.

Cover and Hart (1967): with endless rows the error of the nearest neighbour says what the smallest
error is. With the rows there are it says too much, the more features the more, so what is read is
understated. Whether that matters here is tried on labels whose smallest error is known: classes on
the sides of a random direction through these very rows, of which a share is drawn anew. (To draw
some of the audited labels anew, as is usual, tries nothing: both sides of Cover and Hart's formula
shrink alike.) Where the estimate is off, it is not calibrated, and no figure is taken from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.neighbors import NearestNeighbors

from sensitivenets.audit.splits import IntArray
from sensitivenets.audit.tasks import ClassTask
from sensitivenets.embeddings import FloatArray

#: Shares of the labels that are drawn anew.
NOISE = (0.1, 0.2, 0.4)
_REPEATS = 5
# What an estimate may be off by, beyond two standard errors.
_TOLERANCE = 0.02


@dataclass(frozen=True)
class BayesErrorEstimate:
    """What the best attacker may read, by the nearest neighbour of each test row.

    Attributes
    ----------
    neighbour_accuracy : float
        Balanced accuracy of the nearest neighbour itself.
    accuracy, low, high : float
        The estimate for the best attacker, in [1 / K, 1], and where two standard errors of the
        neighbour put it: near chance that is far.
    off : tuple of float
        How far the smallest error is estimated from what it is, of planted classes with 10, 20
        and 40 % of their labels drawn anew.
    calibrated : bool
        Whether that is within two standard errors and two points. If not, `accuracy` is not to be
        used.
    n : int
        Test rows.
    """

    neighbour_accuracy: float
    accuracy: float
    low: float
    high: float
    off: tuple[float, ...]
    calibrated: bool
    n: int


def bayes_error(X: FloatArray, task: ClassTask, random_state: int = 0) -> BayesErrorEstimate:
    """Estimate what the best attacker reads, and try whether the estimate can be believed.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Prepared rows.
    task : ClassTask
        What is read.
    random_state : int, default=0
        The seed.

    Returns
    -------
    BayesErrorEstimate
        See there.
    """
    rng = np.random.default_rng(random_state)
    k = len(task.classes)
    nearest = NearestNeighbors(n_neighbors=1).fit(X[task.train])
    found = task.train[nearest.kneighbors(X[task.test], return_distance=False)[:, 0]]
    error = _error(task.y, task.y, task.test, found, k)
    smallest = lower_end(error, k)
    deviation = 0.5 / np.sqrt(len(task.test))
    off = []
    for share in NOISE:
        planted = [_planted(X, k, share, rng) for _ in range(_REPEATS)]
        errors = [lower_end(_error(noisy, true, task.test, found, k), k) for noisy, true in planted]
        off.append(float(np.mean(errors)) - share * (k - 1) / k)
    return BayesErrorEstimate(
        neighbour_accuracy=1 - error,
        accuracy=1 - smallest,
        low=1 - lower_end(error + 2 * deviation, k),
        high=1 - lower_end(error - 2 * deviation, k),
        off=tuple(off),
        calibrated=bool(max(map(abs, off)) <= _TOLERANCE + 2 * deviation),
        n=len(task.test),
    )


def lower_end(error: float, n_classes: int) -> float:
    """Smallest error of any attacker, if the nearest neighbour errs so often in the long run."""
    worst = (n_classes - 1) / n_classes
    return worst * (1 - float(np.sqrt(max(1 - error / worst, 0.0))))


def _error(labels: IntArray, classes: IntArray, test: IntArray, found: IntArray, k: int) -> float:
    """Share of wrong neighbours, the mean over the classes."""
    wrong = labels[found] != labels[test]
    return float(np.mean([wrong[classes[test] == label].mean() for label in range(k)]))


def _planted(
    X: FloatArray, k: int, share: float, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Draw classes along a random direction, with a share of the labels drawn anew, and without."""
    along = X @ rng.standard_normal(X.shape[1])
    true = np.searchsorted(np.quantile(along, np.arange(1, k) / k), along)
    drawn = rng.integers(k, size=len(X))
    return np.where(rng.random(len(X)) < share, drawn, true), true
