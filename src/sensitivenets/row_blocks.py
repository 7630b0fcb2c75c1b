"""A row-wise function on many rows: blocks that stay in the cache, on all cores."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sensitivenets.embeddings import FloatArray

_BLOCK_ROWS = 2048
# Below this, starting threads costs more than they save.
_PARALLEL_ROWS = 4 * _BLOCK_ROWS


def in_row_blocks(
    function: Callable[[FloatArray], FloatArray], X: FloatArray, n_features_out: int
) -> FloatArray:
    """Apply a function that treats each row by itself, block by block.

    Chains of small products keep several threads of one product waiting for each other; whole
    blocks on one thread each do not. As many run at a time as a product would have had threads.

    Parameters
    ----------
    function : callable
        Maps (b, d) to (b, k), keeping the type.
    X : ndarray of shape (n, d)
        Rows.
    n_features_out : int
        k.

    Returns
    -------
    ndarray of shape (n, k), of the type of `X`
        In the order of the rows.
    """
    if len(X) < _PARALLEL_ROWS:
        return function(X)
    from threadpoolctl import ThreadpoolController

    blas = ThreadpoolController().select(user_api="blas")
    n_threads = max((library["num_threads"] for library in blas.info()), default=1)
    out = np.empty((len(X), n_features_out), dtype=X.dtype)

    def work(start: int) -> None:
        rows = slice(start, start + _BLOCK_ROWS)
        out[rows] = function(X[rows])

    with blas.limit(limits=1), ThreadPoolExecutor(n_threads) as pool:
        for done in [pool.submit(work, start) for start in range(0, len(X), _BLOCK_ROWS)]:
            done.result()
    return out
