"""Routed transport of rows that need not fit into memory: two passes a round."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import islice
from typing import Any, Protocol, TypeVar

import numpy as np

from sensitivenets.embeddings import FloatArray, Labels, squared_norms
from sensitivenets.embeddings.fingerprint import Fingerprint, StretchDigests
from sensitivenets.embeddings.labels import code_type
from sensitivenets.embeddings.rows import CHUNK_ROWS, STRETCH_ROWS, stretches
from sensitivenets.erasers.base import Learned
from sensitivenets.erasers.moments.group import GroupMoments, GroupMomentStream, Int64, scatter
from sensitivenets.erasers.transport.forecast import round_record, warn_of_few_rows
from sensitivenets.erasers.transport.gaussian import (
    difference_basis,
    moments_of,
    most_directions,
    occupied_directions,
)
from sensitivenets.erasers.transport.steps import chain_of, choose_router, transport_of
from sensitivenets.errors import InputError
from sensitivenets.maps.base import FittedMap
from sensitivenets.maps.routed import RoutedMap, Router, SubspaceMap, usual_lengths

#: Begins a pass over all rows.
Blocks = Callable[[], Iterable[FloatArray]]
#: Rows of a stretch, with their numbers.
Chunks = Iterable[tuple[slice, FloatArray]]

R = TypeVar("R")
# Rows held at once to choose a router's shrinkage on: 32 MiB at 512 features.
_MOST_HELD_OUT = 16_384


class Passes(Protocol):
    """Rows that are gone through again and again, a stretch at a time."""

    @property
    def n_rows(self) -> int:
        """Rows in all."""
        ...

    def over(self, function: Callable[..., R], *arrays: Any) -> Iterator[R]:
        """Yield what a function makes of each stretch, in the order of the rows.

        Parameters
        ----------
        function : callable
            Of the `Chunks` of a stretch, all of which it takes, and of its rows of each array. It
            may be sent to another machine.
        *arrays : ndarray of shape (n_rows, ...)
            What else is known of each row.
        """
        ...


@dataclass(frozen=True)
class HeldRows:
    """Passes over rows at hand.

    Attributes
    ----------
    blocks : callable
        Returns all rows block by block, each time it is called; the size of blocks does not
        matter.
    n_rows : int
        Rows that are expected in all.
    """

    blocks: Blocks
    n_rows: int

    def over(self, function: Callable[..., R], *arrays: Any) -> Iterator[R]:
        """See `Passes.over`."""
        rows = chunks(self.blocks, self.n_rows)
        for stretch in stretches(self.n_rows):
            known = (array[stretch.start : stretch.stop] for array in arrays)
            yield function(islice(rows, STRETCH_ROWS // CHUNK_ROWS), *known)
        # More rows than expected are refused where they are met.
        for _ in rows:
            pass


class Products(Protocol):
    """Who multiplies in a pass: numpy, or torch on a device (`maps.on_device`)."""

    def maps(self, parts: Sequence[FittedMap]) -> Sequence[FittedMap]:
        """Return maps that do what `parts` do, one after the other."""
        ...

    def router(self, router: Router) -> Router:
        """Return a router with the same scores."""
        ...

    def scatter(self, rows: FloatArray, out: FloatArray) -> FloatArray:
        """Return rows.T @ rows, shape (d, d), which may be in `out`."""
        ...


@dataclass(frozen=True)
class InNumpy:
    """Maps and routers multiply as they are."""

    def maps(self, parts: Sequence[FittedMap]) -> Sequence[FittedMap]:
        """See `Products.maps`."""
        return parts

    def router(self, router: Router) -> Router:
        """See `Products.router`."""
        return router

    def scatter(self, rows: FloatArray, out: FloatArray) -> FloatArray:
        """See `Products.scatter`."""
        return scatter(rows, out)


IN_NUMPY = InNumpy()


def learn_in_passes(
    rows: Passes,
    groups: Labels,
    *,
    n_rounds: int,
    rank: int | None,
    router_shrinkage: float | None,
    covariance_shrinkage: float | None,
    rng: np.random.Generator,
    products: Products = IN_NUMPY,
) -> Learned:
    """Learn the rounds from moments, in memory of O(groups x d^2) beside the held-out rows.

    Parameters
    ----------
    rows : Passes
        All rows.
    groups : Labels
        Group of each row; unlabelled rows are moved, and teach the router nothing.
    n_rounds, rank, router_shrinkage, covariance_shrinkage
        As in `RoutedTransport`.
    rng : numpy.random.Generator
        Draws the held-out rows.
    products : Products, optional
        Who multiplies all rows; numpy has those that are held out.

    Returns
    -------
    Learned
        A chain of the rounds, how well each router did, and the fingerprint of the rows.

    Raises
    ------
    InputError
        If there are not as many rows as labels.
    """
    everyone, fingerprint = _first_pass(rows, products)
    basis = occupied_directions(everyone)
    parts: list[FittedMap] = []
    curve: list[dict[str, Any]] = []
    for number in range(n_rounds):
        part, record = _round(
            rows,
            _Moved(basis, tuple(parts), products),
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
    """Moves rows as the rounds so far do."""

    basis: FloatArray | None
    parts: tuple[FittedMap, ...]
    products: Products

    def __call__(self, X: FloatArray) -> FloatArray:
        X = X if self.basis is None else X @ self.basis
        for part in self._maps:
            X = part(X)
        return X

    @cached_property
    def _maps(self) -> Sequence[FittedMap]:
        return self.products.maps(self.parts)


def _first_pass(rows: Passes, products: Products) -> tuple[GroupMoments, Fingerprint]:
    found, fingerprint = [], Fingerprint()
    for moments, digests in rows.over(_OfEveryone(products)):
        found.append(moments)
        fingerprint = fingerprint.followed_by(digests)
    return merged(found), fingerprint


@dataclass(frozen=True)
class _OfEveryone:
    """Takes the moments of all rows of a stretch, and their digests."""

    products: Products

    def __call__(self, chunks: Chunks) -> tuple[GroupMoments, StretchDigests]:
        stream = GroupMomentStream(1, scatter=self.products.scatter)
        digests = StretchDigests()
        for _, X in chunks:
            digests = digests.followed_by(X)
            stream.update(X, np.zeros(len(X), dtype=np.int64))
        return stream.moments(), digests


def _round(
    rows: Passes,
    moved: _Moved,
    groups: Labels,
    *,
    rank: int | None,
    router_shrinkage: float | None,
    covariance_shrinkage: float | None,
    rng: np.random.Generator,
) -> tuple[FittedMap, dict[str, Any]]:
    """Fit the router in one pass, and the transport of the groups it predicts in another."""
    labelled = np.flatnonzero(groups.labelled).astype(code_type(rows.n_rows))
    rng.shuffle(labelled)
    chosen = np.sort(labelled[: min(len(labelled) // 5, _MOST_HELD_OUT)]).astype(np.int64)
    del labelled
    kept, held_out, lengths = _router_pass(rows, moved, groups, chosen)
    codes, k = groups.codes[chosen], len(groups.classes)
    basis = None
    rank = most_directions(rank, rows.n_rows, held_out.shape[1])
    if rank is not None:
        basis = difference_basis(kept.merge(moments_of(held_out, codes, k)), rank)
        kept, held_out = kept.within(basis), held_out @ basis
    router, accuracy = choose_router(kept, held_out, codes, router_shrinkage)
    predicted = _OfPredicted(moved, basis, moved.products.router(router))
    moments = merged(rows.over(predicted))
    transport = transport_of(moments, covariance_shrinkage)
    record = round_record(accuracy, moments.counts, router)
    if basis is None:
        return RoutedMap(router, (transport,), lengths), record
    return SubspaceMap(basis, router, transport, lengths), record


@dataclass(frozen=True)
class _OfPredicted:
    """Takes the moments of the groups that a router predicts in a stretch."""

    moved: _Moved
    basis: FloatArray | None
    router: Router

    def __call__(self, chunks: Chunks) -> GroupMoments:
        scatter = self.moved.products.scatter
        stream = GroupMomentStream(self.router.n_groups, scatter=scatter)
        for _, X in chunks:
            coordinates = self.moved(X)
            if self.basis is not None:
                coordinates = coordinates @ self.basis
            stream.update(coordinates, self.router(coordinates))
        return stream.moments()


def _router_pass(
    rows: Passes, moved: _Moved, groups: Labels, chosen: Int64
) -> tuple[GroupMoments, FloatArray, FloatArray | None]:
    """Return the moments of all labelled rows but the chosen ones, those rows, and lengths."""
    is_chosen = np.zeros(rows.n_rows, dtype=bool)
    is_chosen[chosen] = True
    codes = np.where(is_chosen, -1, groups.codes)
    ask = _OfLabelled(moved, len(groups.classes))
    # Behind a round rows are of unit length.
    squares = np.empty(0 if moved.parts else rows.n_rows, dtype=np.float32)
    held_out: list[FloatArray] = []

    def of_stretches() -> Iterator[GroupMoments]:
        start = 0
        for part in rows.over(ask, codes, is_chosen):
            held_out.append(part.chosen)
            squares[start : start + len(part.squares)] = part.squares
            start += len(part.squares)
            if part.moments is not None:
                yield part.moments

    moments = merged(of_stretches())
    lengths = None if moved.parts else usual_lengths(squares)
    return moments, np.concatenate(held_out), lengths


@dataclass(frozen=True)
class _Labelled:
    """What a stretch holds: moments of its labelled rows, the chosen rows, squared lengths."""

    moments: GroupMoments | None
    chosen: FloatArray
    squares: FloatArray


@dataclass(frozen=True)
class _OfLabelled:
    """Takes the moments of the labelled groups of a stretch, and the rows that are held out."""

    moved: _Moved
    n_groups: int

    def __call__(self, chunks: Chunks, codes: Int64, is_chosen: Any) -> _Labelled:
        scatter = self.moved.products.scatter
        stream, start = GroupMomentStream(self.n_groups, scatter=scatter), 0
        found: list[FloatArray] = []
        squares: list[FloatArray] = []
        for _, block in chunks:
            X = self.moved(block)
            mine = slice(start, start + len(X))
            start += len(X)
            stream.update(X, codes[mine])
            found.append(X[is_chosen[mine]])
            if not self.moved.parts:
                squares.append(squared_norms(X).astype(np.float32))
        moments = stream.moments() if (codes >= 0).any() else None
        return _Labelled(
            moments, np.concatenate(found), np.concatenate(squares or [np.empty(0, np.float32)])
        )


def merged(found: Iterable[GroupMoments]) -> GroupMoments:
    """Add up moments in the order given, on which the last bits of sums depend."""
    return reduce(GroupMoments.merge, found)


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
            part = X[: CHUNK_ROWS - n_waiting]
            X = X[len(part) :]
            waiting.append(part)
            n_waiting += len(part)
            if n_waiting == CHUNK_ROWS:
                yield slice(start, start + n_waiting), _joined(waiting)
                start, n_waiting, waiting = start + n_waiting, 0, []
    if n_waiting:
        yield slice(start, start + n_waiting), _joined(waiting)
    if start + n_waiting != n_rows:
        raise InputError(f"expected {n_rows} rows in each pass, found {start + n_waiting}")


def _joined(parts: list[FloatArray]) -> FloatArray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
