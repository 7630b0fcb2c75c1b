"""Numbers as groups: bands that hold as many rows each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from sensitivenets.embeddings.arrays import FloatArray
from sensitivenets.errors import InputError, require_int

# What stands between the ends of a band in its name.
_TO = " to "


def band_edges(values: FloatArray, n_bands: int = 8) -> FloatArray:
    """Cut numbers at their quantiles, so that bands hold as many each.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Numbers; NaN where unknown.
    n_bands : int, default=8
        Bands at most: numbers that many rows share fill several.

    Returns
    -------
    ndarray of shape (bands + 1,)
        Ascending, from the least number to the greatest.

    Raises
    ------
    InputError
        If all numbers are alike, or one is infinite.
    """
    require_int("n_bands", n_bands, minimum=2)
    known = ~np.isnan(values)
    if np.isinf(values).any():
        raise InputError("expected finite numbers, found an infinite one; leave it empty")
    shares = np.linspace(0, 1, n_bands + 1)
    edges = np.unique(np.quantile(values[known], shares)) if known.any() else np.empty(0)
    if len(edges) < 2:
        raise InputError(
            f"expected different numbers, found {len(edges)}; there is nothing to hide in them"
        )
    return edges


def number_bands(
    values: FloatArray, n_bands: int = 8, *, edges: FloatArray | None = None
) -> list[str | None]:
    """Name the quantile band of each number, so that methods for groups take it for one.

    Means within a band are made alike by them, so that what is left of the number is its spread
    within bands: with eight even ones a sixty-fourth of its variance.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Numbers; NaN where unknown.
    n_bands : int, default=8
        Bands at most.
    edges : ndarray of shape (bands + 1,), optional
        Of the bands of other rows, instead: numbers beyond them are in the first or last band.

    Returns
    -------
    list of str or None
        Such as "20 to 34.5", the lower end in the band; None for NaN.

    Raises
    ------
    InputError
        As `band_edges`.

    Examples
    --------
    >>> number_bands(np.array([1.0, 2.0, 3.0, 4.0, np.nan]), 2)
    ['1 to 2.5', '1 to 2.5', '2.5 to 4', '2.5 to 4', None]
    """
    edges = band_edges(values, n_bands) if edges is None else edges
    names = [f"{low:g}{_TO}{high:g}" for low, high in pairwise(edges)]
    band = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(names) - 1)
    return [None if np.isnan(one) else names[k] for k, one in zip(band, values, strict=True)]


def edges_named(bands: Sequence[str]) -> FloatArray | None:
    """Read the edges back from the names of all bands; None if they are names of something else.

    Examples
    --------
    >>> edges_named(["1 to 2.5", "2.5 to 4"])
    array([1. , 2.5, 4. ])
    """
    try:
        ends = np.array([[float(end) for end in name.split(_TO)] for name in bands])
    except ValueError:
        return None
    if ends.ndim != 2 or ends.shape[1] != 2:
        return None
    ends = ends[np.argsort(ends[:, 0])]
    joined: bool = np.array_equal(ends[1:, 0], ends[:-1, 1])
    return np.append(ends[:, 0], ends[-1, 1]) if joined else None
