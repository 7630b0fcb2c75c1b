"""Whether two tables hold the same rows in the same order: the control before all others.

Attackers that learn the labels of one row from the embedding of another read nothing, and what is
measured then is the mistake. Neighbours tell: whatever a map removes, rows that were near one
another mostly still are, or it keeps nobody recognisable. So the nearest neighbours of each row in
one table are compared with those of the row of the same number in the other, against tables in an
order drawn at random, and against the order that is off by a row or two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from sensitivenets.audit.splits import IntArray
from sensitivenets.embeddings import FloatArray
from sensitivenets.errors import InputError

_COMPARED_ROWS = 3000
_NEIGHBOURS = 20
_ORDERS = 199
_SHIFTS = (-2, -1, 1, 2)
_PARTS = 10
# Deviations above a random order that no table of rows that belong together stays below.
_CLEARLY = 6.0
# Deviations below which a tenth of the rows is as good as in a random order.
_LIKE_CHANCE = 3.0
# Of what the map makes, up to rounding: relative to the largest value.
_ROUNDING = 1e-3
_MOSTLY = 0.8
# A shifted order is better only if it is so by a tenth: rows of one person lie side by side.
_MORE = 1.1
_EQUAL = 1e-6
_REMEDY = "give the same rows in the same order, a column such as image in both, or the model"

COLUMNS, MAP, NEIGHBOURS = "columns", "map", "neighbours"


@dataclass(frozen=True)
class Correspondence:
    """Whether rows of the same number belong together in two tables, and how that is known.

    Attributes
    ----------
    known_by : str
        ``"columns"``: a column that tells all rows apart is in both; ``"map"``: the map makes the
        second table from the first; ``"neighbours"``: what is near in one is near in the other.
    holds : bool
        Whether they do.
    found : float
        Share of the rows that the map makes, or of neighbours in common, in [0, 1].
    by_chance : float
        The same share for rows in an order drawn at random.
    reason : str
        Why not; empty if `holds`.
    """

    known_by: str
    holds: bool
    found: float = 1.0
    by_chance: float = 0.0
    reason: str = ""


def made_by_map(mapped: FloatArray, after: FloatArray) -> Correspondence:
    """Compare what a map makes of the first table with the second.

    Parameters
    ----------
    mapped, after : ndarray of shape (n, k)
        What the map makes of the rows before, and the rows that were given.

    Returns
    -------
    Correspondence
        It holds if most rows are equal up to rounding; rows that differ may have been routed
        another way.

    Raises
    ------
    InputError
        If the map makes rows of another width.
    """
    if mapped.shape != after.shape:
        raise InputError(
            f"model: expected one that makes rows of {after.shape[1]} features as in the table "
            f"after, found one that makes {mapped.shape[1]}; give the model that made the table"
        )
    largest = np.abs(after).max(initial=1e-30)
    share = float(np.mean(np.abs(mapped - after).max(axis=1) <= _ROUNDING * largest))
    if share >= _MOSTLY:
        return Correspondence(MAP, holds=True, found=share)
    reason = (
        f"the model does not make the table after from the table before: {100 * (1 - share):.0f} % "
        "of the rows differ; give its own model and the same rows in the same order"
    )
    return Correspondence(MAP, holds=False, found=share, reason=reason)


def corresponding_rows(before: FloatArray, after: FloatArray, seed: int = 0) -> Correspondence:
    """Ask whether row i of one table is row i of the other, from their neighbours.

    Parameters
    ----------
    before, after : ndarray of shape (n, d) and (n, k)
        The tables; 3 000 rows at most are compared.
    seed : int, default=0
        Decides which rows and orders.

    Returns
    -------
    Correspondence
        It holds if rows have clearly more neighbours in common than in any of 199 orders drawn at
        random, than with rows shifted by one or two, and so in each tenth of the table. Where all
        rows of a table are equal every order is the right one.
    """
    rows = _sample(len(before), seed)
    one, other = (_neighbours(np.asarray(table)[rows]) for table in (before, after))
    if one is None or other is None:
        return Correspondence(NEIGHBOURS, holds=True)
    rng = np.random.default_rng(seed)
    shares = _in_common(one, other, np.arange(len(rows)))
    orders = [rng.permutation(len(rows)) for _ in range(_ORDERS)]
    drawn = np.stack([_in_common(one, other, order) for order in orders])
    found, means = float(shares.mean()), drawn.mean(axis=1)
    by_chance = float(means.mean())
    lead = (found - by_chance) / max(float(means.std()), 1e-12)
    reason = ""
    if found <= means.max() or lead < _CLEARLY:
        reason = (
            f"rows of the two tables do not correspond: {100 * found:.1f} % of their nearest "
            f"neighbours are the same, as in any order ({100 * by_chance:.1f} %); {_REMEDY}"
        )
    elif shift := _better_shift(one, after, rows, found):
        reason = (
            f"rows of the second table correspond to those of the first {abs(shift)} "
            f"{'above' if shift > 0 else 'below'}, not to those of the same number; {_REMEDY}"
        )
    elif lead / np.sqrt(_PARTS) > 2 * _LIKE_CHANCE and (part := _stray_part(shares, drawn)):
        start, end = rows[part[0]], rows[part[1] - 1]
        reason = (
            f"rows {start} to {end} of the two tables do not correspond, though others do; "
            f"{_REMEDY}"
        )
    return Correspondence(NEIGHBOURS, not reason, found, by_chance, reason)


def _sample(n_rows: int, seed: int) -> IntArray:
    if n_rows <= _COMPARED_ROWS:
        return np.arange(n_rows)
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(n_rows, _COMPARED_ROWS, replace=False))


def _neighbours(X: FloatArray) -> IntArray | None:
    """Row numbers of the nearest rows of each row, shape (n, k); None if all rows are equal."""
    centred = np.asarray(X, dtype=np.float32) - X.mean(axis=0, dtype=np.float64).astype(np.float32)
    lengths = np.linalg.norm(centred, axis=1)
    if lengths.max(initial=0) <= _EQUAL * np.abs(X).max(initial=0):
        return None
    centred /= np.maximum(lengths, np.finfo(np.float32).tiny)[:, None]
    with threadpool_limits(1):
        cosines = centred @ centred.T
    np.fill_diagonal(cosines, -np.inf)
    k = max(min(_NEIGHBOURS, len(X) // 10), 1)
    return np.asarray(np.argpartition(-cosines, k - 1, axis=1)[:, :k])


def _in_common(one: IntArray, other: IntArray, order: IntArray) -> FloatArray:
    """Share of the neighbours of each row that the row in its place in `order` has too."""
    is_near = np.zeros((len(one), len(one)), dtype=bool)
    np.put_along_axis(is_near, one, values=True, axis=1)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return np.asarray(np.take_along_axis(is_near, place[other[order]], axis=1).mean(axis=1))


def _better_shift(one: IntArray, after: FloatArray, rows: IntArray, found: float) -> int:
    """How many rows further the second table fits clearly better; 0 if nowhere."""
    fits = {0: _MORE * found}
    for shift in _SHIFTS:
        other = _neighbours(np.asarray(after)[(rows + shift) % len(after)])
        if other is not None:
            fits[shift] = float(_in_common(one, other, np.arange(len(rows))).mean())
    return max(fits, key=lambda shift: fits[shift])


def _stray_part(shares: FloatArray, drawn: FloatArray) -> tuple[int, int] | None:
    """First and last place of a tenth of the rows that fits no better than in a random order."""
    for part in np.array_split(np.arange(len(shares)), _PARTS):
        by_chance = drawn[:, part].mean(axis=1)
        if shares[part].mean() - by_chance.mean() < _LIKE_CHANCE * max(by_chance.std(), 1e-12):
            return int(part[0]), int(part[-1]) + 1
    return None
