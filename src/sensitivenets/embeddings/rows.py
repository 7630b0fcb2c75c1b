"""What is done with many rows: blocks of them, all cores on them, unit length, rows that repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

FloatArray = npt.NDArray[np.floating[Any]]
#: Codes of classes, groups or subjects, one a row: of a long table as few bytes as hold them.
Codes = npt.NDArray[np.signedinteger[Any]]

# What a row-wise function makes of this many rows of usual width is some megabytes. Loops that do
# not say why they take another size take this one.
BLOCK_ROWS = 4096
#: Rows of a chunk: sums of float32 products are this long, and no longer. Long enough that adding a
#: (d, d) product to its float64 sum is little beside the product, and short enough that float32
#: products lose nothing that embeddings would show.
CHUNK_ROWS = 8192
#: Rows of a stretch, which one worker adds up.
STRETCH_ROWS = 16 * CHUNK_ROWS
# For threads that each hold a block in their own cache.
_THREAD_ROWS = 2048
# Below this, starting threads costs more than they save.
_PARALLEL_ROWS = 4 * _THREAD_ROWS
# To be hashed, a block is copied and takes 8 bytes for each 2.
_HASHED_ROWS = 8192


def row_blocks(n_rows: int, size: int = BLOCK_ROWS) -> Iterator[slice]:
    """Cut rows into blocks, so that no loop holds more than a block of what it makes of them.

    Parameters
    ----------
    n_rows : int
        Rows there are.
    size : int, default=4096
        Rows of a block. Sums over blocks, and products of BLAS, may differ in their last bits
        with another size.

    Yields
    ------
    slice
        The blocks in order; the last has what remains. None for no rows.

    Examples
    --------
    >>> list(row_blocks(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


@dataclass(frozen=True)
class Stretch:
    """Consecutive rows of a table, which one worker goes through.

    Attributes
    ----------
    number : int
        Of the stretch, from 0.
    start, stop : int
        Its rows.
    """

    number: int
    start: int
    stop: int


def stretches(n_rows: int) -> list[Stretch]:
    """Cut a table of so many rows into stretches: all but the last are of one length."""
    found = row_blocks(n_rows, STRETCH_ROWS)
    return [Stretch(number, rows.start, rows.stop) for number, rows in enumerate(found)]


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
    blas, n_threads = _blas(), blas_threads()

    def work(rows: slice) -> None:
        write(X[rows], out[rows])

    with blas.limit(limits=1), ThreadPoolExecutor(n_threads) as pool:
        for done in [pool.submit(work, rows) for rows in row_blocks(len(X), _THREAD_ROWS)]:
            done.result()


def blas_threads() -> int:
    """Return how many threads a product of matrices takes: its last bits depend on it."""
    return max((library["num_threads"] for library in _blas().info()), default=1)


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


def first_occurrences(X: FloatArray) -> npt.NDArray[np.int64]:
    """Find the rows that repeat an earlier one exactly, in O(n) memory beside the rows.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows; finite.

    Returns
    -------
    ndarray of shape (n,), int64
        For each row the first row that equals it in every feature: itself where none is earlier.
    """
    hashes = row_hashes(X)
    order = np.argsort(hashes, kind="stable")
    earlier, later = order[:-1], order[1:]
    # Rows of one hash keep their order, so neighbours are enough; looking at the rows themselves
    # makes a collision (odds of 2^-48 a pair) harmless.
    alike = np.flatnonzero(hashes[earlier] == hashes[later])
    repeats = np.zeros(len(X), dtype=bool)
    for block in row_blocks(len(alike), _HASHED_ROWS):
        pair = alike[block]
        repeats[pair + 1] = np.all(X[earlier[pair]] == X[later[pair]], axis=1)
    start_of_run = np.maximum.accumulate(np.where(repeats, 0, np.arange(len(X))))
    first = np.empty(len(X), dtype=np.int64)
    first[order] = order[start_of_run]
    return first


def row_hashes(X: FloatArray) -> npt.NDArray[np.uint64]:
    """Hash each row by a random linear form of its bits, modulo 2^64: the same everywhere."""
    words = X.shape[1] * X.dtype.itemsize // 2
    factors = np.random.default_rng(0).integers(2**64, size=words, dtype=np.uint64)
    hashes = np.empty(len(X), dtype=np.uint64)
    for rows in row_blocks(len(X), _HASHED_ROWS):
        # Adding 0 turns -0 into 0, which is equal but has other bits.
        block = np.ascontiguousarray(X[rows] + 0)
        hashes[rows] = block.view(np.uint16).astype(np.uint64) @ factors
    return hashes
