"""Numbers as groups: bands that hold as many rows each."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from sensitivenets.embeddings.arrays import FloatArray
from sensitivenets.errors import InputError, require_int


def number_bands(values: FloatArray, n_bands: int = 8) -> list[str | None]:
    """Name the quantile band of each number, so that methods for groups take it for one.

    Means within a band are made alike by them, so that what is left of the number is its spread
    within bands: with eight even ones a sixty-fourth of its variance.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Numbers; NaN where unknown.
    n_bands : int, default=8
        Bands at most: numbers that many rows share fill several.

    Returns
    -------
    list of str or None
        Such as "20 to 34.5", the lower end in the band; None for NaN.

    Raises
    ------
    InputError
        If all numbers are alike, or one is infinite.

    Examples
    --------
    >>> number_bands(np.array([1.0, 2.0, 3.0, 4.0, np.nan]), 2)
    ['1 to 2.5', '1 to 2.5', '2.5 to 4', '2.5 to 4', None]
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
    names = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    band = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(names) - 1)
    return [names[k] if one else None for k, one in zip(band, known, strict=True)]
