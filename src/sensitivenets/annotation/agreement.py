"""Whether the annotators agree beyond chance."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensitivenets.intervals import percentile_interval

IntArray = npt.NDArray[np.int64]

_N_RESAMPLES = 1000


@dataclass(frozen=True)
class Agreement:
    """Two annotators on the rows that both labelled.

    Attributes
    ----------
    first, second : str
        The annotators.
    n : int
        Rows that both gave a class; unsure is none.
    observed : float
        Share of these with the same class, in [0, 1].
    kappa, low, high : float or None
        Cohen's kappa and its 95 % interval (percentile bootstrap over rows): 1 is full
        agreement, 0 what chance gives. None where it is not defined: both used one class only.
    """

    first: str
    second: str
    n: int
    observed: float
    kappa: float | None
    low: float | None
    high: float | None


def agreements(
    votes: Mapping[str, Mapping[int, int]], n_classes: int, random_state: int = 0
) -> list[Agreement]:
    """Compare each pair of annotators that share rows.

    Parameters
    ----------
    votes : mapping of str to (mapping of int to int)
        For each annotator, the class of each row they labelled; a negative class is unsure.
    n_classes : int
        Classes there are.
    random_state : int, default=0
        Decides the bootstrap.

    Returns
    -------
    list of Agreement
        In the order of the names.
    """
    found = []
    for first, second in itertools.combinations(sorted(votes), 2):
        mine, other = votes[first], votes[second]
        rows = [row for row in sorted(mine.keys() & other) if min(mine[row], other[row]) >= 0]
        if rows:
            a = np.array([mine[row] for row in rows])
            b = np.array([other[row] for row in rows])
            found.append(_compare(first, second, a, b, n_classes, random_state))
    return found


def _compare(
    first: str, second: str, a: IntArray, b: IntArray, n_classes: int, random_state: int
) -> Agreement:
    from sklearn.metrics import cohen_kappa_score

    observed = float(np.mean(a == b))
    if len(np.union1d(a, b)) < 2:
        return Agreement(first, second, len(a), observed, None, None, None)
    kappa = float(cohen_kappa_score(a, b, labels=range(n_classes)))
    table = np.zeros((n_classes, n_classes))
    np.add.at(table, (a, b), 1)
    rng = np.random.default_rng(random_state)
    drawn = rng.multinomial(len(a), table.ravel() / len(a), _N_RESAMPLES)
    low, high = percentile_interval(_kappas(drawn.reshape(-1, n_classes, n_classes)))
    return Agreement(first, second, len(a), observed, kappa, low, high)


def _kappas(tables: IntArray) -> npt.NDArray[np.float64]:
    """Cohen's kappa of many contingency tables; not a number where chance agrees fully."""
    shares = tables / tables.sum(axis=(1, 2), keepdims=True)
    observed = np.trace(shares, axis1=1, axis2=2)
    chance = np.einsum("ni,ni->n", shares.sum(axis=1), shares.sum(axis=2))
    defined = chance < 1
    return np.where(defined, (observed - chance) / np.where(defined, 1 - chance, 1), np.nan)
