"""What is learned of a table while it is read for the first time: its lengths, and a sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.erasers.moments.group import Int64
from sensitivenets.erasers.transport.passes import Blocks
from sensitivenets.erasers.transport.place import Place
from sensitivenets.erasers.transport.reference_groups import GaussianGroups
from sensitivenets.errors import InputError

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
    blocks : callable
        Returns all rows block by block, each time it is called.
    n_rows : int
        Rows in all.
    reference : GaussianGroups
        Groups of the model.

    Attributes
    ----------
    where : ndarray of shape (m,), int64
        Numbers of the rows of the sample: every k-th, for any size of block.
    sample : ndarray of shape (m, d)
        Those rows; empty before the first pass has ended.
    """

    def __init__(
        self, place: Place, blocks: Blocks, n_rows: int, reference: GaussianGroups
    ) -> None:
        self._place, self._blocks, self._reference = place, blocks, reference
        self._stride = max(1, -(-n_rows // _SAMPLE))
        self._is_first = True
        self.where: Int64 = np.arange(0, n_rows, self._stride)
        self.sample: FloatArray = np.empty((0, reference.means.shape[1]), dtype=np.float32)

    def __call__(self) -> Iterator[FloatArray]:
        """Begin a pass.

        Raises
        ------
        InputError
            At the end of the first, if rows are of another scale than the reference's.
        """
        if not self._is_first:
            yield from self._place.coordinates(self._blocks)()
            return
        unscaled = self._unscaled()
        kept, start, squares = [], 0, 0.0
        for X in self._blocks():
            rows, before = self._place.seen(X), unscaled.seen(X)
            squares += float(np.vdot(before, before))
            # A view would keep the whole block, and with it the table.
            kept.append(rows[-start % self._stride :: self._stride].copy())
            start += len(X)
            yield rows
        self._require_alike_lengths(squares / max(start, 1))
        self.sample = np.concatenate(kept)
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
