"""Numbers that carry their own uncertainty: the 95 % intervals of all results, in one place."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

_ENDS = (0.025, 0.975)


@dataclass(frozen=True)
class Estimate:
    """A measured value, its 95 % interval and how many observations stand behind it.

    Attributes
    ----------
    value : float
        The point estimate, as a fraction: 0.995, not 99.5.
    low, high : float
        Ends of the 95 % interval.
    n : int
        Observations (rows, pairs or folds) the value was computed from.
    """

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}]"


def clopper_pearson(successes: int, n: int) -> tuple[float, float]:
    """Exact 95 % interval of a proportion (Clopper and Pearson, Biometrika 1934).

    Parameters
    ----------
    successes, n : int
        `successes` of `n` observations; `n` at least 1.

    Returns
    -------
    tuple of float
        Lower and upper end, in [0, 1].
    """
    from scipy.special import betaincinv

    low = betaincinv(successes, n - successes + 1, _ENDS[0]) if successes else 0.0
    high = betaincinv(successes + 1, n - successes, _ENDS[1]) if successes < n else 1.0
    return float(low), float(high)


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Approximate 95 % interval of a proportion of independent trials (Wilson, JASA 1927).

    Parameters
    ----------
    successes, n : int
        `successes` of `n` observations; `n` at least 1.

    Returns
    -------
    tuple of float
        Lower and upper end, in [0, 1].
    """
    from scipy.stats import binomtest

    found = binomtest(successes, n).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def student_t_interval(
    mean: float, standard_error: float, n: int, lowest: float = 0.0
) -> tuple[float, float]:
    """95 % t-interval of a mean of few repetitions, such as folds or seeds.

    Parameters
    ----------
    mean, standard_error : float
        Of the mean.
    n : int
        Repetitions, at least 2.
    lowest : float, default=0.0
        Smallest value the figure can take; the largest is 1. The interval is cut there.

    Returns
    -------
    tuple of float
        Lower and upper end.
    """
    from scipy.stats import t

    reach = float(t.ppf(_ENDS[1], n - 1)) * standard_error
    return max(mean - reach, lowest), min(mean + reach, 1.0)


def draw_subjects(n_subjects: int, n_draws: int, seed: int) -> Iterator[npt.NDArray[np.int64]]:
    """Bootstrap subjects: what one person adds is not independent, so persons are drawn, not rows.

    Parameters
    ----------
    n_subjects : int
        Subjects there are, at least 1; each draw takes as many, with replacement.
    n_draws : int
        Draws.
    seed : int
        Decides the draws; the same numbers give the same draws, so that differences between two
        tables of the same subjects can be taken draw by draw.

    Yields
    ------
    ndarray of shape (n_subjects,), int64
        How often the draw takes each subject.
    """
    rng = np.random.default_rng(seed)
    for _ in range(n_draws):
        drawn = rng.integers(n_subjects, size=n_subjects)
        yield np.bincount(drawn, minlength=n_subjects)


def percentile_interval(
    draws: npt.NDArray[np.floating[Any]], method: Literal["linear", "inverted_cdf"] = "linear"
) -> tuple[float, float]:
    """95 % percentile interval (Efron 1981): where the middle 95 of 100 bootstrap draws lie.

    Parameters
    ----------
    draws : ndarray of shape (n,)
        The figure in each draw; NaN where a draw has none, which is left out.
    method : {"linear", "inverted_cdf"}, default="linear"
        How to read between draws; ``"inverted_cdf"`` returns a draw, which may then be infinite.

    Returns
    -------
    tuple of float
        Lower and upper end; minus and plus infinity if no draw has a figure.
    """
    usable = draws[~np.isnan(draws)]
    if not len(usable):
        return -math.inf, math.inf
    low, high = np.quantile(usable, _ENDS, method=method)
    return float(low), float(high)


def rule_of_three(n: int) -> float:
    """Upper end of the 95 % interval of a rate of which `n` independent trials show none: 3 / n.

    It is 1 for up to three trials, or none.
    """
    return min(3 / max(n, 1), 1.0)


def rate_interval(value: float, low: float, high: float, n_units: int) -> tuple[float, float]:
    """Make the interval of a rate say no more than its trials can.

    Where no error, or nothing but errors, was seen, no bootstrap draw can show otherwise; the
    rule of three then gives the end of the interval.

    Parameters
    ----------
    value : float
        The rate, in [0, 1].
    low, high : float
        Ends found by a bootstrap.
    n_units : int
        Independent trials (subjects) behind the rate.

    Returns
    -------
    tuple of float
        Ends within [0, 1], with `value` between them.
    """
    if value <= 0:
        high = max(high, rule_of_three(n_units))
    if value >= 1:
        low = min(low, 1 - rule_of_three(n_units))
    return float(max(min(low, value), 0.0)), float(min(max(high, value), 1.0))
