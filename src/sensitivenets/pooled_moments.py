"""Means of groups and one covariance for all rows: what linear erasers need, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse

from sensitivenets.embeddings import FloatArray
from sensitivenets.errors import InputError
from sensitivenets.moments import (
    BLOCK_ROWS,
    Float64,
    Int64,
    check_block,
    overall_mean,
    require_rows,
)

# Rows that stay in the cache between the shift and the sums.
_SUM_ROWS = 1024


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
        return overall_mean(self.counts, self.means)

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
    random_state : int, default=0
        Decides which rows are in the sample.
    """

    def __init__(
        self,
        n_groupings: int,
        *,
        covariance_rows: int | None = None,
        expected_rows: int = 0,
        random_state: int = 0,
    ) -> None:
        self.covariance_rows = covariance_rows
        self.expected_rows = expected_rows
        self._rng = np.random.default_rng(random_state)
        self._shift: FloatArray | None = None
        self._n_rows = 0
        self._sampled_rows = 0
        self._sum: Float64 = np.zeros(0)
        self._sampled_sum: Float64 = np.zeros(0)
        self._product: Float64 = np.zeros((0, 0))
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
            self._start(X[np.flatnonzero(known)[:BLOCK_ROWS]])
        for grouping, column in enumerate(codes):
            self._grow(grouping, int(column.max()) + 1)
        everything = bool(known.all())
        for start in range(0, len(X), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            if everything:
                self._add(X[block], [column[block] for column in codes])
            elif known[block].any():
                rows = start + np.flatnonzero(known[block])
                self._add(X[rows], [column[rows] for column in codes])
        return self

    def _start(self, first: FloatArray) -> None:
        self._shift = first.mean(axis=0)
        d = first.shape[1]
        self._sum, self._sampled_sum = np.zeros(d), np.zeros(d)
        self._product = np.zeros((d, d) if self.covariance_rows != 0 else (0, 0))
        self._sums = [np.zeros((0, d)) for _ in self._sums]

    def _grow(self, grouping: int, n_groups: int) -> None:
        more = n_groups - len(self._counts[grouping])
        if more > 0:
            self._counts[grouping] = np.pad(self._counts[grouping], (0, more))
            self._sums[grouping] = np.pad(self._sums[grouping], ((0, more), (0, 0)))

    def _add(self, X: FloatArray, codes: Sequence[Int64]) -> None:
        shift = require_rows(self._shift)
        wanted = self._sample_size(len(X))
        self._n_rows += len(X)
        # All rows in order are the shifted block itself; a part of them is gathered.
        whole = np.empty_like(X) if wanted == len(X) else None
        small = np.empty((min(len(X), _SUM_ROWS), X.shape[1]), dtype=X.dtype)
        for start in range(0, len(X), _SUM_ROWS):
            part = slice(start, min(start + _SUM_ROWS, len(X)))
            rows = small[: part.stop - start] if whole is None else whole[part]
            np.subtract(X[part], shift, out=rows)
            self._add_sums(rows, [column[part] for column in codes])
        if wanted and whole is None:
            chosen = np.sort(self._rng.choice(len(X), wanted, replace=False, shuffle=False))
            whole = X[chosen] - shift
        if whole is not None and wanted:
            self._add_product(whole, len(X) / wanted)

    def _sample_size(self, n: int) -> int:
        """Rows of the next `n` that the covariance is taken from."""
        if self.covariance_rows is None:
            return n
        total = max(self.expected_rows, self._n_rows + n)
        return min(n, -(-n * self.covariance_rows // total))

    def _add_sums(self, rows: FloatArray, codes: Sequence[Int64]) -> None:
        complete = False
        for grouping, column in enumerate(codes):
            labelled = column >= 0
            every = bool(labelled.all())
            kept = column if every else column[labelled]
            sums = _group_sums(rows, column, labelled, len(self._counts[grouping]))
            self._sums[grouping] += sums
            self._counts[grouping] += np.bincount(kept, minlength=len(self._counts[grouping]))
            if every and not complete:
                self._sum += sums.sum(axis=0)
                complete = True
        if not complete:
            self._sum += rows.sum(axis=0)

    def _add_product(self, rows: FloatArray, weight: float) -> None:
        self._sampled_rows += len(rows)
        self._sampled_sum += weight * rows.sum(axis=0, dtype=np.float64)
        product = rows.T @ rows
        self._product += product if weight == 1 else weight * product.astype(np.float64)

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
        # The sample's own mean, not that of all rows: what is left has no negative variance.
        covariance = self._product
        if len(covariance):
            mean = self._sampled_sum / self._n_rows
            covariance = covariance - np.outer(self._sampled_sum, mean)
            covariance /= max(self._n_rows - 1, 1)
        return PooledMoments(
            n_rows=self._n_rows,
            mean=shift + self._sum / self._n_rows,
            covariance=covariance,
            covariance_rows=self._sampled_rows,
            groupings=tuple(groupings),
        )


def _group_sums(
    rows: FloatArray, codes: Int64, labelled: npt.NDArray[np.bool_], n_groups: int
) -> FloatArray:
    """Sum the rows of each group, shape (g, d): one addition a value, however many groups."""
    ones = labelled.astype(rows.dtype)
    indicator = scipy.sparse.csc_array(
        (ones, np.maximum(codes, 0), np.arange(len(codes) + 1)), shape=(n_groups, len(codes))
    )
    return np.asarray(indicator @ rows)
