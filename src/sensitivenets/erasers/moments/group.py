"""Counts, means and scatter of every group, in one pass and without a copy of the embeddings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import CHUNK_ROWS, row_blocks
from sensitivenets.errors import InputError

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
#: Makes rows.T @ rows, of rows (n, d) and an array (d, d) that may be written to.
Scatter = Callable[[FloatArray, FloatArray], FloatArray]


def scatter(rows: FloatArray, out: FloatArray) -> FloatArray:
    """Return rows.T @ rows, shape (d, d), in `out`."""
    return np.matmul(rows.T, rows, out=out)


@dataclass(frozen=True)
class GroupMoments:
    """First and second moments of the rows of each group.

    Attributes
    ----------
    counts : ndarray of shape (g,), int64
        Rows of each group.
    means : ndarray of shape (g, d), float64
        Mean of each group; zero for a group without rows.
    scatter : ndarray of shape (g, d, d), float64
        Sum of (x - mean)(x - mean)^T over the rows of each group.
    """

    counts: Int64
    means: Float64
    scatter: Float64

    @property
    def n_rows(self) -> int:
        """Rows of all groups."""
        return int(self.counts.sum())

    @property
    def covariances(self) -> Float64:
        """Covariance of each group, shape (g, d, d): divided by its rows; zero without any."""
        return np.asarray(self.scatter / np.maximum(self.counts, 1)[:, None, None])

    def within(self, basis: FloatArray) -> GroupMoments:
        """Moments of the coordinates x @ basis, for a basis of shape (d, r)."""
        wide = basis.astype(np.float64)
        return GroupMoments(self.counts, self.means @ wide, wide.T @ self.scatter @ wide)

    def merge(self, other: GroupMoments) -> GroupMoments:
        """Moments of the rows of both (Chan, Golub and LeVeque 1983); order does not matter.

        Raises
        ------
        InputError
            If groups or features differ in number.
        """
        if self.means.shape != other.means.shape:
            raise InputError(
                f"expected moments of {self.means.shape[0]} groups and {self.means.shape[1]} "
                f"features, found {other.means.shape[0]} and {other.means.shape[1]}"
            )
        counts = self.counts + other.counts
        rows = np.maximum(counts, 1)
        step = other.means - self.means
        weight = self.counts * other.counts / rows
        between = weight[:, None, None] * step[:, :, None] * step[:, None, :]
        return GroupMoments(
            counts=counts,
            means=self.means + (other.counts / rows)[:, None] * step,
            scatter=self.scatter + other.scatter + between,
        )


class GroupMomentStream:
    """Adds up `GroupMoments` block by block, in memory of O(groups x d^2).

    Rows are shifted by the mean of the first block, so that a mean far from zero costs no digits;
    products of a block are made in the type of the rows, and added up in float64.

    Parameters
    ----------
    n_groups : int
        Groups are the codes 0 to `n_groups` - 1; -1 is a row of none, which is left out.
    block_rows : int, default=8192
        Rows of a block.
    scatter : callable, optional
        Makes the product of a block; numpy unless given.
    """

    def __init__(
        self, n_groups: int, *, block_rows: int = CHUNK_ROWS, scatter: Scatter = scatter
    ) -> None:
        self.n_groups = n_groups
        self.block_rows = block_rows
        self._scatter = scatter
        self._counts = np.zeros(n_groups, dtype=np.int64)
        self._shift: FloatArray | None = None
        self._sums: Float64 = np.zeros((n_groups, 0))
        self._products: Float64 = np.zeros((n_groups, 0, 0))

    def update(self, X: FloatArray, codes: Int64) -> GroupMomentStream:
        """Add rows.

        Parameters
        ----------
        X : ndarray of shape (n, d), float32 or float64
            Rows; finite, not changed.
        codes : ndarray of shape (n,), int64
            Group of each row, or -1.

        Returns
        -------
        GroupMomentStream
            Itself.

        Raises
        ------
        InputError
            If rows and codes do not fit each other or what was added before.
        """
        check_block(X, codes, self._shift)
        if len(codes) and codes.max() >= self.n_groups:
            raise InputError(
                f"expected codes below {self.n_groups}, one for each group, found {codes.max()}"
            )
        for block in row_blocks(len(X), self.block_rows):
            self._add(X[block], codes[block])
        return self

    def _add(self, X: FloatArray, codes: Int64) -> None:
        order = np.argsort(codes, kind="stable")
        bounds = np.searchsorted(codes[order], np.arange(self.n_groups + 1))
        order = order[bounds[0] :]
        if not len(order):
            return
        # One gather brings the rows of a group together; "clip" because the default, which checks
        # the indices, would fill a second buffer.
        rows = np.empty((len(order), X.shape[1]), dtype=X.dtype)
        np.take(X, order, axis=0, out=rows, mode="clip")
        if self._shift is None:
            self._shift = rows.mean(axis=0)
            self._sums = np.zeros((self.n_groups, X.shape[1]))
            self._products = np.zeros((self.n_groups, X.shape[1], X.shape[1]))
        rows -= self._shift
        bounds = bounds - bounds[0]
        product = np.empty((X.shape[1], X.shape[1]), dtype=X.dtype)
        for group in np.flatnonzero(np.diff(bounds)):
            part = rows[bounds[group] : bounds[group + 1]]
            self._sums[group] += part.sum(axis=0)
            self._products[group] += self._scatter(part, product)
            self._counts[group] += len(part)

    def moments(self) -> GroupMoments:
        """Return the moments of all rows so far.

        Raises
        ------
        InputError
            If no row of any group was added.
        """
        shift = require_rows(self._shift)
        means = self._sums / np.maximum(self._counts, 1)[:, None]
        # A group of few rows is all rounding when they are alike: no variance below zero.
        scatter = self._products - self._sums[:, :, None] * means[:, None, :]
        diagonal = np.einsum("gii->gi", scatter)
        np.maximum(diagonal, 0, out=diagonal)
        means[self._counts > 0] += shift
        return GroupMoments(self._counts.copy(), means, scatter)


def check_block(X: FloatArray, codes: Int64, shift: FloatArray | None) -> None:
    """Refuse rows that do not fit their codes, or the rows before them.

    Raises
    ------
    InputError
        Saying what was expected and what was found.
    """
    if X.ndim != 2 or X.dtype.kind != "f":
        raise InputError(f"expected a float matrix (rows, features), found {X.dtype} {X.shape}")
    if codes.shape != X.shape[:1]:
        raise InputError(f"expected one code for each of {len(X)} rows, found {codes.shape}")
    if shift is not None and len(shift) != X.shape[1]:
        raise InputError(
            f"expected {len(shift)} features as in the rows before, found {X.shape[1]}"
        )


def require_rows(shift: FloatArray | None) -> FloatArray:
    """Refuse a stream that has seen no labelled row.

    Raises
    ------
    InputError
        Always for such a stream.
    """
    if shift is None:
        raise InputError("no labelled row was added; give rows whose code is not -1")
    return shift
