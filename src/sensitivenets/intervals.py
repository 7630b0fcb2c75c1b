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
