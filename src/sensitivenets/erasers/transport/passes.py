"""Routed transport of rows that need not fit into memory: two passes a round."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.embeddings.fingerprint import Fingerprint, Hashing, other_cores
from sensitivenets.erasers.base import Learned
from sensitivenets.erasers.moments.group import GroupMoments, GroupMomentStream, Int64
from sensitivenets.erasers.transport.gaussian import (
    difference_basis,
    moments_of,
    occupied_directions,
)
from sensitivenets.erasers.transport.steps import chain_of, choose_router, transport_of
from sensitivenets.errors import InputError
from sensitivenets.maps.base import FittedMap
from sensitivenets.maps.routed import RoutedMap, SubspaceMap

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
        part, accuracy = _round(
            _Moved(blocks, basis, parts),
            groups,
            rank=rank,
            router_shrinkage=router_shrinkage,
            covariance_shrinkage=covariance_shrinkage,
            rng=rng,
        )
        parts.append(part)
        curve.append({"round": number + 1, "router": accuracy})
    return Learned(chain_of(parts, basis), tuple(curve), {"primary": fingerprint.to_dict()})


@dataclass(frozen=True)
class _Moved:
    """The rows as the rounds so far leave them."""

    blocks: Blocks
    basis: FloatArray | None
    parts: Sequence[FittedMap]

    def __iter__(self) -> Iterator[tuple[slice, FloatArray]]:
        start = 0
        for block in self.blocks():
            X = block if self.basis is None else block @ self.basis
            for part in self.parts:
                X = part(X)
            yield slice(start, start + len(X)), X
            start += len(X)


def _first_pass(blocks: Blocks, n_rows: int) -> tuple[GroupMoments, Fingerprint]:
    stream, fingerprint = GroupMomentStream(1), Fingerprint()
    with other_cores() as pool:
        for X in blocks():
            hashing = Hashing(X, pool, fingerprint)
            stream.update(X, np.zeros(len(X), dtype=np.int64))
            fingerprint = hashing.result()
    if fingerprint.rows != n_rows:
        raise InputError(f"expected {n_rows} rows, one for each label, found {fingerprint.rows}")
    return stream.moments(), fingerprint


def _round(
    rows: _Moved,
    groups: Labels,
    *,
    rank: int | None,
    router_shrinkage: float | None,
    covariance_shrinkage: float | None,
    rng: np.random.Generator,
) -> tuple[FittedMap, dict[str, float]]:
    """Fit the router in one pass, and the transport of the groups it predicts in another."""
    labelled = rng.permutation(np.flatnonzero(groups.labelled))
    chosen = np.sort(labelled[: min(len(labelled) // 5, _MOST_HELD_OUT)])
    kept, held_out = _router_pass(rows, groups, chosen)
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
    transport = transport_of(stream.moments(), covariance_shrinkage)
    if basis is None:
        return RoutedMap(router, (transport,)), accuracy
    return SubspaceMap(basis, router, transport), accuracy


def _router_pass(rows: _Moved, groups: Labels, chosen: Int64) -> tuple[GroupMoments, FloatArray]:
    """Return the moments of all labelled rows but the chosen ones, and those rows."""
    codes = groups.codes.copy()
    codes[chosen] = -1
    stream, found = GroupMomentStream(len(groups.classes)), []
    for where, X in rows:
        stream.update(X, codes[where])
        first, last = np.searchsorted(chosen, (where.start, where.stop))
        found.append(X[chosen[first:last] - where.start])
    return stream.moments(), np.concatenate(found)
