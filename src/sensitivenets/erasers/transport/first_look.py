"""What is learned of a table while it is read for the first time: its lengths, and a sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.erasers.moments.group import Int64
from sensitivenets.erasers.transport.passes import Chunks, Passes
from sensitivenets.erasers.transport.place import Place
from sensitivenets.erasers.transport.reference_groups import GaussianGroups
from sensitivenets.errors import InputError

R = TypeVar("R")

# Longest and shortest rows, in lengths of the reference's, that are taken for the same scale.
_LENGTHS = (0.5, 2.0)
# Rows of the sample, at most: tables with groups gain nats by them, others lose a tenth.
_SAMPLE = 4096


class FirstLook:
    """Passes over the rows as the router sees them, of which the first is looked at.

    Parameters
    ----------
    place : Place
        Where the map has its routes.
    rows : Passes
        All rows.
    reference : GaussianGroups
        Groups of the model.

    Attributes
    ----------
    where : ndarray of shape (m,), int64
        Numbers of the rows of the sample: every k-th.
    sample : ndarray of shape (m, d)
        Those rows; empty before the first pass has ended.
    """

    def __init__(self, place: Place, rows: Passes, reference: GaussianGroups) -> None:
        self._place, self._rows, self._reference = place, rows, reference
        self._stride = max(1, -(-rows.n_rows // _SAMPLE))
        self._is_first = True
        self.where: Int64 = np.arange(0, rows.n_rows, self._stride)
        self.sample: FloatArray = np.empty((0, reference.means.shape[1]), dtype=np.float32)

    @property
    def n_rows(self) -> int:
        """Rows in all."""
        return self._rows.n_rows

    def over(self, function: Callable[..., R], *arrays: Any) -> Iterator[R]:
        """See `Passes.over`.

        Raises
        ------
        InputError
            At the end of the first pass, if rows are of another scale than the reference's.
        """
        if not self._is_first:
            yield from self._rows.over(_Seen(self._place, function), *arrays)
            return
        looks = []
        looked = _Looked(self._place, self._unscaled(), self._stride, function)
        for result, look in self._rows.over(looked, *arrays):
            looks.append(look)
            yield result
        squares = sum(look.squares for look in looks)
        self._require_alike_lengths(squares / max(self.n_rows, 1))
        self.sample = np.concatenate([self.sample, *(look.sample for look in looks)])
        self._is_first = False

    def _unscaled(self) -> Place:
        """Return the place where rows keep the length they have; to a map of unit rows all do."""
        lengths = self._place.routed.lengths
        if lengths is not None and lengths[1] == 1:
            return self._place
        return replace(self._place, routed=replace(self._place.routed, lengths=None))

    def _require_alike_lengths(self, mean_square: float) -> None:
        """Refuse rows of another scale: routes of them would be of their length, not their kind."""
        groups = self._reference
        second = np.trace(groups.within) + groups.shares @ (groups.means**2).sum(axis=1)
        ratio = float(np.sqrt(mean_square / second))
        if not _LENGTHS[0] <= ratio <= _LENGTHS[1]:
            raise InputError(
                f"expected rows about as long as the reference's ({np.sqrt(second):.3g}), found "
                f"rows {ratio:.3g} times as long; normalise both, or neither"
            )


@dataclass(frozen=True)
class _Seen:
    """Hands a function the rows of a stretch as the router sees them."""

    place: Place
    function: Callable[..., Any]

    def __call__(self, chunks: Chunks, *arrays: Any) -> Any:
        return self.function(((where, self.place.seen(X)) for where, X in chunks), *arrays)


@dataclass(frozen=True)
class _Look:
    """Of a stretch: the sum of squares of its rows, unscaled, and its share of the sample."""

    squares: float
    sample: FloatArray


@dataclass(frozen=True)
class _Looked:
    """Hands a function the rows of a stretch as the router sees them, and looks at them."""

    place: Place
    unscaled: Place
    stride: int
    function: Callable[..., Any]

    def __call__(self, chunks: Chunks, *arrays: Any) -> tuple[Any, _Look]:
        kept: list[FloatArray] = []
        squares: list[float] = []

        def seen() -> Iterator[tuple[slice, FloatArray]]:
            for where, X in chunks:
                rows, before = self.place.seen(X), self.unscaled.seen(X)
                squares.append(float(np.vdot(before, before)))
                # A view would keep the whole chunk, and with it the table.
                kept.append(rows[-where.start % self.stride :: self.stride].copy())
                yield where, rows

        result = self.function(seen(), *arrays)
        return result, _Look(sum(squares), np.concatenate(kept))
