"""Numbers that carry their own uncertainty."""

from __future__ import annotations

from dataclasses import dataclass


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

    low = betaincinv(successes, n - successes + 1, 0.025) if successes else 0.0
    high = betaincinv(successes + 1, n - successes, 0.975) if successes < n else 1.0
    return float(low), float(high)
