"""Means of groups and one covariance for all rows: what linear erasers need, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import CHUNK_ROWS, row_blocks
from sensitivenets.erasers.moments.group import (
    Float64,
    Int64,
    check_block,
    require_rows,
)
from sensitivenets.errors import InputError

# Few enough that a float32 sum of rows far from zero keeps their digits.
_SUM_ROWS = 512
_MOST_SUMS = 256


@dataclass(frozen=True)
class GroupMeans:
    """Means of the groups of one grouping.

    Attributes
    ----------
    counts : ndarray of shape (g,), int64
        Rows of each group.
    means : ndarray of shape (g, d), float64
        Mean of each group; zero for a group without rows.
    """

    counts: Int64
    means: Float64

    @property
    def mean(self) -> Float64:
        """Mean of the rows of all groups, shape (d,)."""
        return np.asarray(self.counts @ self.means / max(int(self.counts.sum()), 1))

    def between(self) -> Float64:
        """Columns sqrt(p_g) (mean_g - mean), shape (d, g).

        They span what the cross-covariance with one-hot labels spans, and are scaled so that with
        whitened rows their singular values are the canonical correlations with the labels: Sxz
        Szz^-1/2 of one-hot labels, but for a rotation.
        """
        shares = self.counts / max(int(self.counts.sum()), 1)
        return np.asarray((np.sqrt(shares)[:, None] * (self.means - self.mean)).T)

    def cross_covariance(self) -> Float64:
        """Covariance (d, g) of the rows with their one-hot groups, with n - 1."""
        weights = self.counts / max(int(self.counts.sum()) - 1, 1)
        return np.asarray((weights[:, None] * (self.means - self.mean)).T)


@dataclass(frozen=True)
class PooledMoments:
    """Moments of all rows together, and the means of the groups of several groupings.

    Attributes
    ----------
    n_rows : int
        Rows with a code in at least one grouping.
    mean : ndarray of shape (d,), float64
        Their mean.
    covariance : ndarray of shape (d, d), float64
        Their covariance, exact or from a sample of the rows.
    covariance_rows : int
        Rows that `covariance` was taken from; `n_rows` if it is exact, 0 if it was not asked for.
    groupings : tuple of GroupMeans
        One for each grouping, always of all its rows.
    """

    n_rows: int
    mean: Float64
    covariance: Float64
    covariance_rows: int
    groupings: tuple[GroupMeans, ...]


class PooledMomentStream:
    """Adds up `PooledMoments` block by block, in memory of O(d^2 + groups x d).

    The means need one reading of the rows; the covariance is a product of d^2 operations a row,
    which can be had from a sample. Rows of a sample are drawn block by block, and weigh what they
    stand for, so that the order of the rows does not matter. With the final number of rows
    unknown, the first `covariance_rows` rows are all taken and ever fewer of later ones.

    Parameters
    ----------
    n_groupings : int
        Columns of codes that are given with the rows.
    covariance_rows : int, optional
        Rows to take the covariance from; None takes all rows, 0 leaves the covariance out.
    expected_rows : int, default=0
        Rows there will be, if known: the sample is then spread evenly over them.
    random_state : int or sequence of int, default=0
        Decides which rows are in the sample.
    """

    def __init__(
        self,
        n_groupings: int,
        *,
        covariance_rows: int | None = None,
        expected_rows: int = 0,
        random_state: int | Sequence[int] = 0,
    ) -> None:
        self.covariance_rows = covariance_rows
        self.expected_rows = expected_rows
        self._rng = np.random.default_rng(random_state)
        self._shift: FloatArray | None = None
        self._n_rows = 0
        self._sum: Float64 = np.zeros(0)
        self._scatter: _Scatter | None = None
        self._counts = [np.zeros(0, dtype=np.int64) for _ in range(n_groupings)]
        self._sums: list[Float64] = [np.zeros((0, 0)) for _ in range(n_groupings)]

    def update(self, X: FloatArray, codes: Sequence[Int64]) -> PooledMomentStream:
        """Add rows.

        Parameters
        ----------
        X : ndarray of shape (n, d), float32 or float64
            Rows; finite, not changed.
        codes : sequence of ndarray of shape (n,), int64
            Group of each row in each grouping, or -1; a code not seen before is a new group.
            A row that is -1 in all is left out.

        Returns
        -------
        PooledMomentStream
            Itself.

        Raises
        ------
        InputError
            If rows and codes do not fit each other or what was added before.
        """
        if len(codes) != len(self._counts):
            raise InputError(f"expected codes of {len(self._counts)} groupings, found {len(codes)}")
        for column in codes:
            check_block(X, column, self._shift)
        known = np.any([column >= 0 for column in codes], axis=0)
        if not known.any():
            return self
        if self._shift is None:
            self._start(X[np.flatnonzero(known)[:CHUNK_ROWS]])
        for grouping, column in enumerate(codes):
            self._grow(grouping, int(column.max()) + 1)
        everything = bool(known.all())
        for block in row_blocks(len(X), CHUNK_ROWS):
            if everything:
                self._add(X[block], [column[block] for column in codes])
            elif known[block].any():
                rows = block.start + np.flatnonzero(known[block])
                self._add(X[rows], [column[rows] for column in codes])
        return self

    def _start(self, first: FloatArray) -> None:
        self._shift = first.mean(axis=0)
        d = first.shape[1]
        self._sum = np.zeros(d)
        self._scatter = None if self.covariance_rows == 0 else _Scatter(self._shift)
        self._sums = [np.zeros((0, d)) for _ in self._sums]

    def _grow(self, grouping: int, n_groups: int) -> None:
        more = n_groups - len(self._counts[grouping])
        if more > 0:
            self._counts[grouping] = np.pad(self._counts[grouping], (0, more))
            self._sums[grouping] = np.pad(self._sums[grouping], ((0, more), (0, 0)))

    def _add(self, X: FloatArray, codes: Sequence[Int64]) -> None:
        if self._scatter is not None:
            wanted = self._sample_size(len(X))
            if wanted == len(X):
                self._scatter.add(X, 1.0)
            else:
                chosen = self._rng.choice(len(X), wanted, replace=False, shuffle=False)
                self._scatter.add(X[np.sort(chosen)], len(X) / wanted)
        self._n_rows += len(X)
        self._add_sums(X, codes)

    def _sample_size(self, n: int) -> int:
        """Rows of the next `n` that the covariance is taken from."""
        if self.covariance_rows is None:
            return n
        total = max(self.expected_rows, self._n_rows + n)
        return min(n, -(-n * self.covariance_rows // total))

    def _add_sums(self, X: FloatArray, codes: Sequence[Int64]) -> None:
        shift = require_rows(self._shift).astype(np.float64)
        everyone: Float64 | None = None
        for grouping, column in enumerate(codes):
            n_groups = len(self._counts[grouping])
            counts = np.bincount(column[column >= 0], minlength=n_groups)
            # Shifted after the sum: one reading of the rows is all that this costs.
            sums = group_sums(X, column, n_groups) - counts[:, None] * shift
            self._sums[grouping] += sums
            self._counts[grouping] += counts
            if everyone is None and counts.sum() == len(X):
                everyone = sums.sum(axis=0)
        if everyone is None:
            everyone = group_sums(X, np.zeros(len(X), np.int64), 1)[0] - len(X) * shift
        self._sum += everyone

    def merge(self, other: PooledMomentStream, positions: Sequence[Int64]) -> None:
        """Add the rows of another stream, whose codes may stand for other groups.

        Parameters
        ----------
        other : PooledMomentStream
            Of other rows; it is not changed.
        positions : sequence of ndarray of shape (g,), int64
            For each grouping, the code here of each group there.
        """
        if other._shift is None:
            return
        if self._shift is None:
            self._shift = other._shift
            self._sum = np.zeros_like(other._sum)
            self._scatter = None if other._scatter is None else _Scatter(self._shift)
            self._sums = [np.zeros((0, len(self._shift))) for _ in self._sums]
        check_block(other._shift[None], np.zeros(1, np.int64), self._shift)
        # Sums about another shift, brought to this one.
        step = other._shift.astype(np.float64) - self._shift
        for grouping, position in enumerate(positions):
            self._grow(grouping, int(position.max(initial=-1)) + 1)
            counts = other._counts[grouping]
            self._counts[grouping][position] += counts
            self._sums[grouping][position] += other._sums[grouping] + counts[:, None] * step
        self._n_rows += other._n_rows
        self._sum += other._sum + other._n_rows * step
        if self._scatter is not None and other._scatter is not None:
            self._scatter.merge(other._scatter, step)

    def moments(self) -> PooledMoments:
        """Return the moments of all rows so far.

        Raises
        ------
        InputError
            If no labelled row was added.
        """
        shift = require_rows(self._shift)
        groupings = []
        for counts, sums in zip(self._counts, self._sums, strict=True):
            means = sums / np.maximum(counts, 1)[:, None]
            means[counts > 0] += shift
            groupings.append(GroupMeans(counts.copy(), means))
        scatter = self._scatter
        return PooledMoments(
            n_rows=self._n_rows,
            mean=shift + self._sum / self._n_rows,
            covariance=np.zeros((0, 0)) if scatter is None else scatter.covariance(),
            covariance_rows=0 if scatter is None else scatter.n_rows,
            groupings=tuple(groupings),
        )


class _Scatter:
    """Adds up w (x - shift)(x - shift)^T of rows x with weights w, in float64.

    Rows are collected until there are enough of them for one fast product.

    Parameters
    ----------
    shift : ndarray of shape (d,)
        Near the mean; its type is that of the products.
    """

    def __init__(self, shift: FloatArray) -> None:
        d = len(shift)
        self.n_rows = 0
        self._weight = 0.0
        self._shift = shift
        self._sum = np.zeros(d)
        self._products = np.zeros((d, d))
        self._waiting = np.empty((0, d), dtype=shift.dtype)
        self._n_waiting = 0

    def add(self, X: FloatArray, weight: float) -> None:
        """Add rows (n, d) that each weigh the same."""
        if not len(self._waiting):
            self._waiting = np.empty((CHUNK_ROWS, X.shape[1]), dtype=self._shift.dtype)
        start = 0
        while start < len(X):
            room = self._waiting[self._n_waiting :][: len(X) - start]
            np.subtract(X[start : start + len(room)], self._shift, out=room)
            self._sum += weight * room.sum(axis=0).astype(np.float64)
            if weight != 1:
                room *= np.sqrt(weight)
            start += len(room)
            self._n_waiting += len(room)
            if self._n_waiting == len(self._waiting):
                self._multiply()
        self.n_rows += len(X)
        self._weight += weight * len(X)

    def merge(self, other: _Scatter, step: Float64) -> None:
        """Add the rows of another, whose shift is `step` from this one; it is not changed."""
        waiting = other._waiting[: other._n_waiting]
        across = np.outer(other._sum, step)
        self._products += (other._products + waiting.T @ waiting) + across + across.T
        self._products += other._weight * np.outer(step, step)
        self._sum += other._sum + other._weight * step
        self._weight += other._weight
        self.n_rows += other.n_rows

    def _multiply(self) -> None:
        rows = self._waiting[: self._n_waiting]
        self._products += rows.T @ rows
        self._n_waiting = 0

    def covariance(self) -> Float64:
        """Covariance (d, d) about the weighted mean of these rows: no variance below zero."""
        self._multiply()
        scatter = self._products - np.outer(self._sum, self._sum / self._weight)
        return np.asarray(scatter / max(self._weight - 1, 1))


def group_sums(X: FloatArray, codes: Int64, n_groups: int) -> Float64:
    """Sum the rows of each group: one addition a value, however many groups.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows.
    codes : ndarray of shape (n,)
        Group of each row; -1 is a row of none.
    n_groups : int
        g.

    Returns
    -------
    ndarray of shape (g, d), float64
        The sums.
    """
    sums = np.zeros((n_groups, X.shape[1]))
    # Several parts in one sparse product, unless there are so many groups that it takes memory.
    step = _SUM_ROWS * max(1, _MOST_SUMS // n_groups)
    for block in row_blocks(len(X), step):
        rows, group = X[block], codes[block]
        parts = np.arange(len(rows)) // _SUM_ROWS
        n_parts = int(parts[-1]) + 1
        indicator = scipy.sparse.csc_array(
            (
                (group >= 0).astype(X.dtype),
                parts * n_groups + np.maximum(group, 0),
                np.arange(len(rows) + 1),
            ),
            shape=(n_parts * n_groups, len(rows)),
        )
        sums += (indicator @ rows).reshape(n_parts, n_groups, -1).sum(axis=0, dtype=np.float64)
    return sums
