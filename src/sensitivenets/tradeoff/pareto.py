"""The points of a trade-off that no other beats."""

from __future__ import annotations

from collections.abc import Sequence


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Find the points that no other beats.

    Parameters
    ----------
    points : sequence of (utility, leakage)
        Utility is better high, leakage low.

    Returns
    -------
    list of int
        Places of the points for which no other has at least the utility and at most the leakage,
        one of them better; from the highest utility to the lowest.
    """
    order = sorted(range(len(points)), key=lambda k: (-points[k][0], points[k][1]))
    found: list[int] = []
    for k in order:
        if not found or points[k][1] < points[found[-1]][1] or points[k] == points[found[-1]]:
            found.append(k)
    return found
