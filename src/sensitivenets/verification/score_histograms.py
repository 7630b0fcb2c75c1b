"""Histograms of the scores of all pairs of a table, in blocks of bounded memory.

One pass over the upper triangle of the score matrix counts every pair in a bin of width 2^-17
(7.6e-6). Thresholds are edges of bins; the numbers of genuine and impostor scores at or above an
edge are exact counts, up to the float32 rounding of the scores (about 1e-7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import row_blocks
from sensitivenets.engines import Engine
from sensitivenets.errors import InputError
from sensitivenets.verification.bootstrap import ScoredPairs
from sensitivenets.verification.pair_kinds import PairKind
from sensitivenets.verification.pair_sampling import SamplingPlan
from sensitivenets.verification.pairs import BoolArray, IntArray
from sensitivenets.verification.rates import ErrorCurve, curve_from_counts
from sensitivenets.verification.scores import Float64Array
from sensitivenets.verification.subject_rows import SubjectRows

#: Width of a bin of scores, and so the resolution of thresholds.
RESOLUTION = 2.0**-17

_BINS_PER_UNIT = 2**17
# Rounding can push a cosine beyond 1; spare bins at both ends save the clipping.
_SPARE_BINS = 256
_OFFSET = _BINS_PER_UNIT + _SPARE_BINS
_N_BINS = 2 * _OFFSET
_BLOCK_ROWS = 256
# Wider blocks leave the cache between the product and the counting.
_BLOCK_COLUMNS = 2048
# Parts for an engine; each hands back four MiB of counts.
_SHARES = 64
# One float32 score, its int64 bin and masks, for each pair of a block.
_BYTES_PER_PAIR = 24

Progress = Callable[[int, int, str], None]
BinCounts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ScoreHistograms:
    """How many pairs fall in each bin of scores.

    Attributes
    ----------
    genuine, impostor : ndarray of shape (bins,), int64
        Counts, by ascending score.
    sampled : ndarray of shape (k, 2), int64
        Row numbers (into the `SubjectRows`) of the pairs that the sampling plan kept.
    sampled_scores, sampled_weight : ndarray of shape (k,), float64
        Their scores, and how many pairs each stands for.
    """

    genuine: BinCounts
    impostor: BinCounts
    sampled: IntArray
    sampled_scores: Float64Array
    sampled_weight: Float64Array

    def sample(self, rows: SubjectRows, plan: SamplingPlan) -> ScoredPairs:
        """Return the pairs for the bootstrap: those kept, and the plan's random ones."""
        pairs = np.concatenate([self.sampled, plan.body])
        return ScoredPairs(
            np.concatenate([self.sampled_scores, plan.body_scores]),
            rows.codes[pairs[:, 0]],
            rows.codes[pairs[:, 1]],
            rows.n_subjects,
            np.concatenate([self.sampled_weight, np.full(len(plan.body), plan.body_weight)]),
        )

    def curve(self) -> ErrorCurve:
        """Return both error rates at the lower edge of each bin that holds a score."""
        filled = np.flatnonzero(self.genuine + self.impostor)[::-1]
        return curve_from_counts(
            (filled - _OFFSET).astype(np.float64) * RESOLUTION,
            np.cumsum(self.genuine[filled]),
            np.cumsum(self.impostor[filled]),
        )


@dataclass(frozen=True)
class _Block:
    """Rows first..last against columns start..stop; `mixed` if some pair may not be impostor."""

    first: int
    last: int
    start: int
    stop: int
    mixed: bool


def count_scores(
    rows: SubjectRows,
    plan: SamplingPlan | None = None,
    *,
    kind: PairKind | None = None,
    memory_limit: int,
    n_jobs: int = 1,
    engine: Engine | None = None,
    progress: Progress | None = None,
    what: str = "all pairs",
) -> ScoreHistograms:
    """Score every pair of rows once and count the scores.

    Parameters
    ----------
    rows : SubjectRows
        The table.
    plan : SamplingPlan, optional
        Which pairs to keep for the bootstrap; none unless given.
    kind : PairKind, optional
        Which pairs to count; all unless given.
    memory_limit : int
        Bytes for the blocks of all threads together, or of each worker of an engine.
    n_jobs : int
        Threads. The result does not depend on them.
    engine : Engine, optional
        Scores the pairs instead of threads of this process.
    progress : callable, optional
        Told (blocks of rows done, in total, `what`).
    what : str
        For `progress`.

    Returns
    -------
    ScoreHistograms

    Raises
    ------
    InputError
        If the memory is too little for one block.
    """
    if engine is not None:
        columns = block_columns(memory_limit, 1)
        share = _Share(rows, plan, kind, columns, -(-len(rows) // _BLOCK_ROWS))
        return _count_on(engine, share, progress, what)
    columns = block_columns(memory_limit, n_jobs)
    firsts = range(0, len(rows), _BLOCK_ROWS)

    def count(worker: int) -> _Counter:
        counter = _Counter(rows, plan, kind, columns)
        for done, first in enumerate(firsts[worker::n_jobs]):
            for block in _blocks(rows.codes, first, columns):
                counter.add(block)
            if progress is not None and worker == 0:
                progress(min(done * n_jobs + n_jobs, len(firsts)), len(firsts), what)
        return counter

    if n_jobs == 1:
        counters = [count(0)]
    else:
        # The counting is not BLAS: threads share it out, each with products of its own.
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(n_jobs) as threads:
            counters = list(threads.map(count, range(n_jobs)))
    return _merge(counters)


def _count_on(
    engine: Engine, count: _Share, progress: Progress | None, what: str
) -> ScoreHistograms:
    n_shares = min(_SHARES, count.n_blocks)
    counters = []
    for done, counter in enumerate(engine.map(count, range(n_shares)), start=1):
        counters.append(counter)
        if progress is not None:
            progress(done, n_shares, what)
    return _merge(counters)


@dataclass(frozen=True)
class _Share:
    """Counts every so many-th block of rows: shares are about alike, though blocks are not."""

    rows: SubjectRows
    plan: SamplingPlan | None
    kind: PairKind | None
    columns: int
    n_blocks: int

    def __call__(self, share: int) -> _Counter:
        counter = _Counter(self.rows, self.plan, self.kind, self.columns)
        for number in range(share, self.n_blocks, min(_SHARES, self.n_blocks)):
            for block in _blocks(self.rows.codes, number * _BLOCK_ROWS, self.columns):
                counter.add(block)
        return counter


def block_columns(memory_limit: int, n_jobs: int) -> int:
    """Columns of a block that fit the memory; an `InputError` if none do."""
    fixed = 4 * 8 * _N_BINS
    columns = (memory_limit // n_jobs - fixed) // (_BYTES_PER_PAIR * _BLOCK_ROWS)
    if columns < _BLOCK_ROWS:
        needed = n_jobs * (fixed + _BYTES_PER_PAIR * _BLOCK_ROWS**2)
        raise InputError(
            f"expected at least {needed / 2**20:.0f} MiB beside the copy of the embeddings for "
            f"blocks of scores in {n_jobs} threads, found {max(memory_limit, 0) / 2**20:.0f} MiB; "
            "raise memory_limit (verify --memory-limit) or lower n_jobs"
        )
    return int(min(columns, _BLOCK_COLUMNS))


def _blocks(codes: IntArray, first: int, columns: int) -> Iterator[_Block]:
    last = min(first + _BLOCK_ROWS, len(codes))
    # From this column on, no row of the block has a subject in common with a column.
    apart = int(np.searchsorted(codes, codes[last - 1], side="right"))
    for begin, end, mixed in ((first, apart, True), (apart, len(codes), False)):
        for part in row_blocks(end - begin, columns):
            yield _Block(first, last, begin + part.start, begin + part.stop, mixed)


class _Counter:
    """The counts and kept pairs of one thread."""

    def __init__(
        self, rows: SubjectRows, plan: SamplingPlan | None, kind: PairKind | None, columns: int
    ) -> None:
        self.rows = rows
        self.plan = plan
        self.kind = kind
        self.genuine = np.zeros(_N_BINS, dtype=np.int64)
        self.impostor = np.zeros(_N_BINS, dtype=np.int64)
        self.kept: list[tuple[IntArray, Float64Array, Float64Array]] = []
        # Fresh memory for every block would cost as much as the counting.
        size = _BLOCK_ROWS * columns
        self._position = np.empty(size, dtype=np.float32)
        self._bins = np.empty(size, dtype=np.int64)
        self._high = np.empty(size, dtype=np.bool_)

    def __getstate__(self) -> dict[str, Any]:
        # What was counted, without the rows and the room that it was counted in.
        return {name: getattr(self, name) for name in ("genuine", "impostor", "kept")}

    def _room(self, shape: tuple[int, int]) -> tuple[FloatArray, BinCounts, BoolArray]:
        n = shape[0] * shape[1]
        return (
            self._position[:n].reshape(shape),
            self._bins[:n].reshape(shape),
            self._high[:n].reshape(shape),
        )

    def add(self, block: _Block) -> None:
        """Count the pairs of one block."""
        shape = block.last - block.first, block.stop - block.start
        position, bins, _ = self._room(shape)
        # A power of two: the scaling is exact.
        left = self.rows.unit[block.first : block.last] * np.float32(_BINS_PER_UNIT)
        np.matmul(left, self.rows.unit[block.start : block.stop].T, out=position)
        position += np.float32(_OFFSET)
        np.copyto(bins, position, casting="unsafe")
        if block.mixed or self.kind is not None:
            self._count_mixed(block, position, bins)
        else:
            self.impostor += np.bincount(bins.ravel(), minlength=_N_BINS)
            self._keep(block, position, None)

    def _count_mixed(self, block: _Block, position: FloatArray, bins: BinCounts) -> None:
        codes = self.rows.codes
        row = np.arange(block.first, block.last)[:, None]
        column = np.arange(block.start, block.stop)
        same = codes[row] == codes[column]
        # Below the diagonal the same pairs appear again.
        left_out = column <= row
        if self.kind is not None:
            left_out |= ~self.kind.holds(row, column)
        if self.kind is not None or block.start < block.last:
            # Bin 0 is a spare one.
            same &= ~left_out
            bins[left_out] = 0
            position[left_out] = 0
        genuine = np.bincount(bins[same], minlength=_N_BINS)
        self.genuine += genuine
        self.impostor += np.bincount(bins.ravel(), minlength=_N_BINS) - genuine
        self.impostor[0] = 0
        self._keep(block, position, same)
        if self.plan is not None:
            at = np.flatnonzero(same)
            self._keep_some(block, position, at, np.full(len(at), self.plan.genuine_share))

    def _keep(self, block: _Block, position: FloatArray, genuine: BoolArray | None) -> None:
        if self.plan is None:
            return
        lowest = max(self.plan.cutoffs[0] / RESOLUTION + _OFFSET, 1)
        high = self._room(position.shape)[2]
        np.greater_equal(position, np.float32(lowest), out=high)
        if genuine is not None:
            high &= ~genuine
        at = np.flatnonzero(high)
        share = self.plan.impostor_share(_scores(position.ravel()[at]))
        self._keep_some(block, position, at, share)

    def _keep_some(
        self, block: _Block, position: FloatArray, at: IntArray, share: Float64Array
    ) -> None:
        assert self.plan is not None
        row, column = np.divmod(at, block.stop - block.start)
        pairs = np.stack([row + block.first, column + block.start], axis=1)
        keep = self.plan.chosen(pairs, share)
        self.kept.append((pairs[keep], _scores(position.ravel()[at[keep]]), 1 / share[keep]))


def _scores(position: FloatArray) -> Float64Array:
    return (position.astype(np.float64) - _OFFSET) * RESOLUTION


def _merge(counters: list[_Counter]) -> ScoreHistograms:
    kept = [part for counter in counters for part in counter.kept]
    pairs, scores, weight = zip(*kept, strict=True) if kept else ((), (), ())
    sampled = np.concatenate(pairs) if pairs else np.zeros((0, 2), dtype=np.int64)
    order = np.lexsort((sampled[:, 1], sampled[:, 0]))
    return ScoreHistograms(
        np.sum([counter.genuine for counter in counters], axis=0),
        np.sum([counter.impostor for counter in counters], axis=0),
        sampled[order],
        np.concatenate([*scores, np.zeros(0)])[order],
        np.concatenate([*weight, np.zeros(0)])[order],
    )
