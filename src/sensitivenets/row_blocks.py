"""A row-wise function on many rows: blocks that stay in the cache, on all cores."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy.typing as npt

from sensitivenets.embeddings import FloatArray

_BLOCK_ROWS = 2048
# Below this, starting threads costs more than they save.
_PARALLEL_ROWS = 4 * _BLOCK_ROWS

Out = TypeVar("Out", bound=npt.NDArray[Any])


def in_row_blocks(write: Callable[[FloatArray, Out], object], X: FloatArray, out: Out) -> Out:
    """Apply a function that treats each row by itself, block by block.

    Chains of small products keep several threads of one product waiting for each other; whole
    blocks on one thread each do not. As many run at a time as a product would have had threads.

    Parameters
    ----------
    write : callable
        Given some rows of `X` and the same rows of `out`, which it writes.
    X : ndarray of shape (n, d)
        Rows.
    out : ndarray of shape (n, k)
        Written to.

    Returns
    -------
    ndarray of shape (n, k)
        `out`.
    """
    if len(X) < _PARALLEL_ROWS:
        write(X, out)
        return out
    from threadpoolctl import ThreadpoolController

    blas = ThreadpoolController().select(user_api="blas")
    n_threads = max((library["num_threads"] for library in blas.info()), default=1)

    def work(start: int) -> None:
        rows = slice(start, start + _BLOCK_ROWS)
        write(X[rows], out[rows])

    with blas.limit(limits=1), ThreadPoolExecutor(n_threads) as pool:
        for done in [pool.submit(work, start) for start in range(0, len(X), _BLOCK_ROWS)]:
            done.result()
    return out
