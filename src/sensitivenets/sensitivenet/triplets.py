"""Eq. 3: the list T of difficult triplets, mined exactly and in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.labels import UNLABELLED
from sensitivenets.errors import InputError

IntArray = npt.NDArray[np.int64]

# Above this many positives of one anchor, sorting its distances once beats counting for each.
_SORT_FROM = 16


@dataclass(frozen=True)
class Triplets:
    """Row numbers of anchors, positives and negatives, and how many triplets there were.

    Attributes
    ----------
    rows : ndarray of shape (t, 3), int64
        Anchor and positive of one identity, negative of another, in random order.
    n_found : int
        Triplets in the data that satisfy Eq. 3; `rows` is a uniform sample of them.
    """

    rows: IntArray
    n_found: int

    def __len__(self) -> int:
        return len(self.rows)


def mine_triplets(
    X: FloatArray,
    subjects: IntArray,
    *,
    margin: float,
    n_triplets: int,
    rng: np.random.Generator,
    memory_limit: int = 2**30,
) -> Triplets:
    """Draw triplets that satisfy ||x_A - x_N||^2 - ||x_A - x_P||^2 < margin (Eq. 3).

    All triplets are counted; `n_triplets` of them are drawn uniformly without replacement.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Unit rows.
    subjects : ndarray of shape (n,), int64
        Identity of each row; rows with -1 take no part.
    margin : float
        The paper's alpha; larger finds more, easier triplets.
    n_triplets : int
        How many to draw at most.
    rng : numpy.random.Generator
        Decides which are drawn.
    memory_limit : int
        Bytes for the blocks of distances, beyond one reordered copy of `X`.

    Returns
    -------
    Triplets
        All of them, if there are no more than `n_triplets`.

    Raises
    ------
    InputError
        If no identity has two rows, there is only one identity, or no triplet satisfies Eq. 3.
    """
    pairs = _PositivePairs.of(X, subjects)
    block = max(1, int(memory_limit // (4 * X.itemsize * len(pairs.X))))
    counts = np.concatenate([_count_negatives(pairs, b, margin) for b in pairs.blocks(block)])
    ends = np.cumsum(counts)
    n_found = int(ends[-1])
    if n_found == 0:
        raise InputError(
            f"no triplet satisfies Eq. 3 with margin {margin}: every negative is farther than "
            "its positive by more than that; raise margin"
        )
    if n_found <= n_triplets:
        drawn = np.arange(n_found)
    else:
        drawn = np.sort(rng.choice(n_found, n_triplets, replace=False, shuffle=False))
    rows = np.concatenate([
        _pick_negatives(pairs, b, margin, drawn, ends) for b in pairs.blocks(block)
    ])
    return Triplets(pairs.order[rng.permutation(rows)], n_found)


@dataclass(frozen=True)
class _AnchorBlock:
    """Anchors start..stop and the positive pairs that belong to them, first..last."""

    start: int
    stop: int
    first: int
    last: int


@dataclass(frozen=True)
class _PositivePairs:
    """Rows ordered by identity, those without a positive last; (anchor, positive) by anchor."""

    X: FloatArray
    order: IntArray  # row of the ordered matrix -> row of the user's
    identity_start: IntArray  # of each anchor
    identity_stop: IntArray
    pair_start: IntArray  # first pair of each anchor; one longer than the anchors

    @classmethod
    def of(cls, X: FloatArray, subjects: IntArray) -> _PositivePairs:
        labelled = np.flatnonzero(subjects != UNLABELLED)
        _, code, size = np.unique(subjects[labelled], return_inverse=True, return_counts=True)
        if len(size) < 2 or size.max() < 2:
            raise InputError(
                "triplets need at least two identities, one of them with two rows; found "
                f"{len(size)} identities with at most {size.max(initial=0)} rows each"
            )
        inner = np.lexsort((code, size[code] < 2))
        code = code[inner]
        n_anchors = int(np.count_nonzero(size[code] >= 2))
        change = np.flatnonzero(np.diff(code[:n_anchors], prepend=-1))
        group = np.repeat(np.arange(len(change)), np.diff(change, append=n_anchors))
        start = change[group]
        stop = start + size[code[:n_anchors]]
        order = labelled[inner]
        pair_start = np.concatenate([[0], np.cumsum(stop - start - 1)])
        return cls(X[order], order, start, stop, pair_start)

    def blocks(self, n_anchors: int) -> Iterator[_AnchorBlock]:
        for start in range(0, len(self.identity_start), n_anchors):
            stop = min(start + n_anchors, len(self.identity_start))
            yield _AnchorBlock(start, stop, int(self.pair_start[start]), int(self.pair_start[stop]))

    def thresholds(
        self, block: _AnchorBlock, margin: float
    ) -> Iterator[tuple[int, IntArray, FloatArray, FloatArray]]:
        """Yield each anchor, its positives, their bound on distance, and all distances.

        Distances to the anchor's own identity are infinite, so that no negative is among them.
        """
        distances = self.X[block.start : block.stop] @ self.X.T
        distances *= -2
        distances += 2
        for anchor in range(block.start, block.stop):
            own = np.arange(self.identity_start[anchor], self.identity_stop[anchor])
            positives = own[own != anchor]
            row = distances[anchor - block.start]
            bounds = row[positives] + np.float32(margin)
            row[own] = np.inf
            yield anchor, positives, bounds, row


def _count_negatives(pairs: _PositivePairs, block: _AnchorBlock, margin: float) -> IntArray:
    counts = np.empty(block.last - block.first, dtype=np.int64)
    at = 0
    for _, positives, bounds, row in pairs.thresholds(block, margin):
        if len(positives) > _SORT_FROM:
            found = np.searchsorted(np.sort(row), bounds, side="left")
        else:
            found = np.array([np.count_nonzero(row < bound) for bound in bounds])
        counts[at : at + len(positives)] = found
        at += len(positives)
    return counts


def _pick_negatives(
    pairs: _PositivePairs, block: _AnchorBlock, margin: float, drawn: IntArray, ends: IntArray
) -> IntArray:
    """Turn drawn triplet numbers into rows; numbers run over pairs, then over their negatives."""
    pair_of = np.searchsorted(ends, drawn, side="right")
    first, last = np.searchsorted(pair_of, [block.first, block.last])
    wanted, pair_of = drawn[first:last], pair_of[first:last]
    rows = np.empty((len(wanted), 3), dtype=np.int64)
    at = 0
    pair = block.first
    for anchor, positives, bounds, row in pairs.thresholds(block, margin):
        for positive, bound in zip(positives, bounds, strict=True):
            stop = at + int(np.searchsorted(pair_of[at:], pair, side="right"))
            if stop > at:
                before = ends[pair - 1] if pair else 0
                rows[at:stop, 0], rows[at:stop, 1] = anchor, positive
                rows[at:stop, 2] = np.flatnonzero(row < bound)[wanted[at:stop] - before]
            at, pair = stop, pair + 1
    return rows
