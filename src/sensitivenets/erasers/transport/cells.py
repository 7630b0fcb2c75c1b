"""Cell alignment: within each small region, every group gets the same mean."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.cluster import MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import row_blocks
from sensitivenets.maps.routed import CellShift, Groups, memberships


def align_cells(
    X: FloatArray,
    groups: Groups,
    n_groups: int,
    n_cells: int,
    *,
    sharpness: float = 30.0,
    prior_rows: float = 10.0,
    seed: int = 0,
) -> CellShift:
    """Fit the shift of each group in each cell to the common mean of the cell.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Unit rows.
    groups : ndarray of shape (n,)
        Group of each row, 0 to ``n_groups - 1``.
    n_groups : int
        Groups.
    n_cells : int
        Cells, centres of k-means; at most the number of rows is used.
    sharpness : float, default=30.0
        Of the soft membership (see `CellShift`): at 30 a cell reaches 0.2 around its centre.
    prior_rows : float, default=10.0
        A group with that many rows in a cell moves half of the way.
    seed : int, default=0
        Of k-means.

    Returns
    -------
    CellShift
        Frozen.
    """
    n_cells = min(n_cells, len(X))
    kmeans = MiniBatchKMeans(n_cells, n_init=1, batch_size=4096, max_iter=20, random_state=seed)
    with warnings.catch_warnings():
        # Coinciding rows give fewer cells than asked, which is fine here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        centers = kmeans.fit(X).cluster_centers_.astype(np.float32)
    sums = np.zeros((n_groups, n_cells, X.shape[1]))
    weights = np.zeros((n_groups, n_cells))
    for part in row_blocks(len(X)):
        block = X[part]
        members = memberships(block, centers, sharpness)
        for g in range(n_groups):
            rows = groups[part] == g
            sums[g] += members[rows].T @ block[rows]
            weights[g] += members[rows].sum(axis=0)
    tiny = np.finfo(np.float64).tiny
    means = sums / np.maximum(weights, tiny)[..., None]
    common = sums.sum(axis=0) / np.maximum(weights.sum(axis=0), tiny)[:, None]
    shifts = (common - means) * (weights / (weights + prior_rows))[..., None]
    return CellShift(centers, shifts.astype(np.float32), np.array([sharpness], dtype=np.float32))
