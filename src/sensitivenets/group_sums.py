"""Sums of rows by group, as precise as single precision allows and as fast as reading them."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from sensitivenets.embeddings import FloatArray
from sensitivenets.moments import Float64, Int64

# Few enough that a float32 sum of rows far from zero keeps their digits.
_SUM_ROWS = 512
_MOST_SUMS = 256


def group_sums(X: FloatArray, codes: Int64, n_groups: int) -> Float64:
    """Sum the rows of each group: one addition a value, however many groups.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows.
    codes : ndarray of shape (n,)
        Group of each row; -1 is a row of none.
    n_groups : int
        g.

    Returns
    -------
    ndarray of shape (g, d), float64
        The sums.
    """
    sums = np.zeros((n_groups, X.shape[1]))
    # Several parts in one sparse product, unless there are so many groups that it takes memory.
    step = _SUM_ROWS * max(1, _MOST_SUMS // n_groups)
    for start in range(0, len(X), step):
        rows, group = X[start : start + step], codes[start : start + step]
        parts = np.arange(len(rows)) // _SUM_ROWS
        n_parts = int(parts[-1]) + 1
        indicator = scipy.sparse.csc_array(
            (
                (group >= 0).astype(X.dtype),
                parts * n_groups + np.maximum(group, 0),
                np.arange(len(rows) + 1),
            ),
            shape=(n_parts * n_groups, len(rows)),
        )
        sums += (indicator @ rows).reshape(n_parts, n_groups, -1).sum(axis=0, dtype=np.float64)
    return sums
