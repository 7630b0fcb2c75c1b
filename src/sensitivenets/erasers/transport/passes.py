"""Routed transport of rows that need not fit into memory: two passes a round."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sensitivenets.embeddings import FloatArray, Labels, squared_norms
from sensitivenets.embeddings.fingerprint import Fingerprint, Hashing, other_cores
from sensitivenets.erasers.base import Learned
from sensitivenets.erasers.moments.group import BLOCK_ROWS, GroupMoments, GroupMomentStream, Int64
from sensitivenets.erasers.transport.forecast import round_record, warn_of_few_rows
from sensitivenets.erasers.transport.gaussian import (
    difference_basis,
    moments_of,
    occupied_directions,
)
from sensitivenets.erasers.transport.steps import chain_of, choose_router, transport_of
from sensitivenets.errors import InputError
from sensitivenets.maps.base import FittedMap
from sensitivenets.maps.routed import RoutedMap, SubspaceMap, usual_lengths

#: Begins a pass over all rows.
Blocks = Callable[[], Iterable[FloatArray]]

# Rows held at once to choose a router's shrinkage on: 32 MiB at 512 features.
_MOST_HELD_OUT = 16_384


def learn_in_passes(
    blocks: Blocks,
    groups: Labels,
    *,
    n_rounds: int,
    rank: int | None,
    router_shrinkage: float | None,
    covariance_shrinkage: float | None,
    rng: np.random.Generator,
) -> Learned:
    """Learn the rounds from moments, in memory of O(groups x d^2) beside the held-out rows.

    Parameters
    ----------
    blocks : callable
        Returns all rows block by block, each time it is called.
    groups : Labels
        Group of each row; unlabelled rows are moved, and teach the router nothing.
    n_rounds, rank, router_shrinkage, covariance_shrinkage
        As in `RoutedTransport`.
    rng : numpy.random.Generator
        Draws the held-out rows.

    Returns
    -------
    Learned
        A chain of the rounds, how well each router did, and the fingerprint of the rows.

    Raises
    ------
    InputError
        If there are not as many rows as labels.
    """
    everyone, fingerprint = _first_pass(blocks, len(groups))
    basis = occupied_directions(everyone)
    parts: list[FittedMap] = []
    curve: list[dict[str, Any]] = []
    for number in range(n_rounds):
        part, record = _round(
            _Moved(blocks, len(groups), basis, parts),
            groups,
            rank=rank,
            router_shrinkage=router_shrinkage,
            covariance_shrinkage=covariance_shrinkage,
            rng=rng,
        )
        parts.append(part)
        curve.append({"round": number + 1} | record)
    warn_of_few_rows(curve)
    return Learned(chain_of(parts, basis), tuple(curve), {"primary": fingerprint.to_record()})


@dataclass(frozen=True)
class _Moved:
    """The rows as the rounds so far leave them."""

    blocks: Blocks
    n_rows: int
    basis: FloatArray | None
    parts: Sequence[FittedMap]

    def __iter__(self) -> Iterator[tuple[slice, FloatArray]]:
        for where, block in chunks(self.blocks, self.n_rows):
            X = block if self.basis is None else block @ self.basis
            for part in self.parts:
                X = part(X)
            yield where, X


def _first_pass(blocks: Blocks, n_rows: int) -> tuple[GroupMoments, Fingerprint]:
    stream, fingerprint = GroupMomentStream(1), Fingerprint()
    with other_cores() as pool:
        for _, X in chunks(blocks, n_rows):
            hashing = Hashing(X, pool, fingerprint)
            stream.update(X, np.zeros(len(X), dtype=np.int64))
            fingerprint = hashing.result()
    return stream.moments(), fingerprint


def _round(
    rows: _Moved,
    groups: Labels,
    *,
    rank: int | None,
    router_shrinkage: float | None,
    covariance_shrinkage: float | None,
    rng: np.random.Generator,
) -> tuple[FittedMap, dict[str, Any]]:
    """Fit the router in one pass, and the transport of the groups it predicts in another."""
    labelled = rng.permutation(np.flatnonzero(groups.labelled))
    chosen = np.sort(labelled[: min(len(labelled) // 5, _MOST_HELD_OUT)])
    kept, held_out, lengths = _router_pass(rows, groups, chosen)
    codes, k = groups.codes[chosen], len(groups.classes)
    basis = None
    if rank is not None and rank < held_out.shape[1]:
        basis = difference_basis(kept.merge(moments_of(held_out, codes, k)), rank)
        kept, held_out = kept.within(basis), held_out @ basis
    router, accuracy = choose_router(kept, held_out, codes, router_shrinkage)
    stream = GroupMomentStream(k)
    for _, X in rows:
        coordinates = X if basis is None else X @ basis
        stream.update(coordinates, router(coordinates))
    moments = stream.moments()
    transport = transport_of(moments, covariance_shrinkage)
    record = round_record(accuracy, moments.counts, router)
    if basis is None:
        return RoutedMap(router, (transport,), lengths), record
    return SubspaceMap(basis, router, transport, lengths), record


def _router_pass(
    rows: _Moved, groups: Labels, chosen: Int64
) -> tuple[GroupMoments, FloatArray, FloatArray | None]:
    """Return the moments of all labelled rows but the chosen ones, those rows, and lengths."""
    codes = groups.codes.copy()
    codes[chosen] = -1
    stream, found = GroupMomentStream(len(groups.classes)), []
    squares: list[FloatArray] = []
    for where, X in rows:
        stream.update(X, codes[where])
        first, last = np.searchsorted(chosen, (where.start, where.stop))
        found.append(X[chosen[first:last] - where.start])
        squares.append(squared_norms(X))
    # Behind a round rows are of unit length.
    lengths = None if rows.parts else usual_lengths(np.concatenate(squares))
    return stream.moments(), np.concatenate(found), lengths


def chunks(blocks: Blocks, n_rows: int) -> Iterator[tuple[slice, FloatArray]]:
    """Yield all rows in chunks of one size, whatever the blocks: sums are added in one order.

    Parameters
    ----------
    blocks : callable
        Returns all rows block by block.
    n_rows : int
        Rows that are expected in all.

    Yields
    ------
    where : slice
        Numbers of the rows.
    X : ndarray of shape (m, d), float32
        The rows; m is 8192 but for the last.

    Raises
    ------
    InputError
        If there are not as many rows as expected, or blocks differ in width.
    """
    waiting: list[FloatArray] = []
    n_waiting = start = 0
    for block in blocks():
        X = np.asarray(block, dtype=np.float32)
        while len(X):
            part = X[: BLOCK_ROWS - n_waiting]
            X = X[len(part) :]
            waiting.append(part)
            n_waiting += len(part)
            if n_waiting == BLOCK_ROWS:
                yield slice(start, start + n_waiting), _joined(waiting)
                start, n_waiting, waiting = start + n_waiting, 0, []
    if n_waiting:
        yield slice(start, start + n_waiting), _joined(waiting)
    if start + n_waiting != n_rows:
        raise InputError(f"expected {n_rows} rows in each pass, found {start + n_waiting}")


def _joined(parts: list[FloatArray]) -> FloatArray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
