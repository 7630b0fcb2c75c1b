"""What is done with many rows: blocks of them, all cores, unit length, repeats, rows far out."""

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

# Most values of a feature lie between these shares of them, the first whose ends differ, and
# differ not much less than those of four fifths of the share: rectified features are zero up to
# some share, and next to zero there.
_MOST = np.array([0.25, 0.1, 0.01])
_LESS = 0.8
_STEEP = 3.0
# Of the ends, in rounding errors: nearer to each other they are equal.
_ROUNDING_ERRORS = 64.0
#: So many times as far out as that is wide, and none of a Gaussian's is there: 67 deviations.
FAR_OUT = 50.0
# A feature of which this is so much wider than the middle tenth has values of two scales.
_TWO_SCALES = 1e3
_MIDDLE = 0.45
# Enough to see where most lie.
_REACH_ROWS = 4096


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


def some_rows(n_rows: int, most: int) -> npt.NDArray[np.intp]:
    """Draw rows to look at, the same ones each time, in their order; all if there are no more."""
    drawn = np.random.default_rng(0).permutation(n_rows)[:most]
    return np.sort(drawn).astype(np.intp)


@dataclass(frozen=True)
class Reach:
    """Where most values of each feature lie, learned from some rows.

    Attributes
    ----------
    center, width : ndarray of shape (d,)
        Middle and extent of the middle half of the values; of more of them where these are equal
        up to rounding or nearly, and a width of zero where 98 % are.
    two_scales : ndarray of shape (d,), bool
        Whether most values are a thousand times as far out as the others.
    """

    center: FloatArray
    width: FloatArray
    two_scales: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, rows: FloatArray, eps: float, rounding: FloatArray | float = 0.0) -> Reach:
        """Learn from rows (n, d) of relative rounding error `eps`, and of `rounding` beside it."""
        some = rows[some_rows(len(rows), _REACH_ROWS)]
        shares = np.concatenate([_MOST, _MOST * _LESS, [_MIDDLE]])
        # Inwards: of a few rows the furthest is no share.
        low = np.quantile(some, shares, axis=0, method="higher")
        high = np.quantile(some, 1 - shares, axis=0, method="lower")
        least = _ROUNDING_ERRORS * (eps * np.maximum(np.abs(low), np.abs(high)) + rounding)
        widths = np.where(high - low > least, high - low, 0.0)
        most, more, middle = np.split(widths, [len(_MOST), 2 * len(_MOST)])
        usable = (most > 0) & (more <= _STEEP * most)
        first = np.argmax(usable, axis=0)[None]
        center = np.take_along_axis((low + high) / 2, first, axis=0)[0]
        width = np.take_along_axis(np.where(usable, most, 0.0), first, axis=0)[0]
        two_scales = (width > _TWO_SCALES * middle[0]) & (middle[0] > 0)
        return cls(center, width, np.asarray(two_scales))

    def is_far(self, rows: FloatArray, times: float = FAR_OUT) -> npt.NDArray[np.bool_]:
        """Which values of rows (n, d) lie out of all proportion to most: so many times as far."""
        beyond = np.abs(rows - self.center) > times * self.width
        return np.asarray(beyond & (self.width > 0))

    def drawn_in(self, rows: FloatArray) -> FloatArray:
        """Draw values far out in by a logarithm, which keeps their order; the others stay."""
        far = self.is_far(rows)
        if not far.any():
            return rows
        _, features = np.nonzero(far)
        center, width = self.center[features], self.width[features]
        steps = (rows[far] - center) / width
        drawn = rows.copy()
        beyond = np.log1p(np.abs(steps) - FAR_OUT)
        drawn[far] = center + np.sign(steps) * (FAR_OUT + beyond) * width
        return drawn


def near_rows(X: FloatArray, n_train: int) -> npt.NDArray[np.bool_]:
    """Which rows have no value out of all proportion to most of the training rows.

    What is learned from all others, such as a mean, would be of those few rows alone.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Training rows first.
    n_train : int
        How many rows train.

    Returns
    -------
    ndarray of shape (n,), bool
        All of them where most training rows have such a value.
    """
    near = ~np.any(Reach.of(X[:n_train], rounding_of(X)).is_far(X), axis=1)
    return near if 2 * near[:n_train].sum() > n_train else np.ones_like(near)


def rounding_of(X: FloatArray) -> float:
    """Relative rounding error of the numbers as they were stored: of float16, float32 or float64.

    A float64 array that holds float32 numbers is taken as float32.
    """
    for kind in (np.float16, np.float32):
        with np.errstate(over="ignore"):
            if np.array_equal(X.astype(kind).astype(X.dtype), X):
                return float(np.finfo(kind).eps)
    return float(np.finfo(np.float64).eps)
