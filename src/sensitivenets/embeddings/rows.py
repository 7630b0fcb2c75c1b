"""A row-wise function on many rows: blocks that stay in the cache, on all cores."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings.arrays import FloatArray

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

_BLOCK_ROWS = 2048
# Below this, starting threads costs more than they save.
_PARALLEL_ROWS = 4 * _BLOCK_ROWS


def in_row_blocks(
    write: Callable[[FloatArray, Any], object], X: FloatArray, out: npt.NDArray[Any]
) -> None:
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
        Written to, block by block.
    """
    if len(X) < _PARALLEL_ROWS:
        write(X, out)
        return
    blas = _blas()
    n_threads = max((library["num_threads"] for library in blas.info()), default=1)

    def work(start: int) -> None:
        rows = slice(start, start + _BLOCK_ROWS)
        write(X[rows], out[rows])

    with blas.limit(limits=1), ThreadPoolExecutor(n_threads) as pool:
        for done in [pool.submit(work, start) for start in range(0, len(X), _BLOCK_ROWS)]:
            done.result()


@cache
def _blas() -> ThreadpoolController:
    """Find numpy's BLAS: it takes as long as thousands of rows, and finds the same every time."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def normalise_rows(rows: FloatArray) -> None:
    """Scale each row to unit length, in place; a zero row stays zero."""
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    norms[norms == 0] = 1
    rows /= norms[:, None]
