"""Whitening by a Cholesky factor: the metric in which a linear erasure is smallest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from sensitivenets.erasers.moments.group import Float64

# What float32 rows can resolve of a correlation of one.
_RIDGE = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class CholeskyWhitening:
    """W with W^T W = Sigma^-1, where Sigma = D L L^T D, so W = L^-1 D^-1.

    Any W of this property leads to the same erasure; this one costs d^3 / 3 operations, and is not
    moved by the units of the features.

    Attributes
    ----------
    scale : ndarray of shape (d,)
        D: standard deviation of each feature; 1 for a constant one.
    factor : ndarray of shape (d, d)
        L: lower Cholesky factor of the correlations.
    """

    scale: Float64
    factor: Float64

    @classmethod
    def of(cls, covariance: Float64, n_rows: int, *, shrink: bool) -> CholeskyWhitening:
        """Factor a covariance.

        Parameters
        ----------
        covariance : ndarray of shape (d, d)
            Of any rank.
        n_rows : int
            Rows that it was taken from.
        shrink : bool
            Whether to move correlations towards zero as far as so few rows call for.
        """
        variance = np.diagonal(covariance)
        constant = variance <= 0
        scale = np.sqrt(np.where(constant, 1.0, variance))
        correlation = covariance / scale[:, None] / scale
        correlation[np.diag_indices_from(correlation)] = 1.0
        if shrink:
            correlation *= 1 - oracle_approximating_shrinkage(correlation, n_rows)
        ridge = _RIDGE
        while True:
            correlation[np.diag_indices_from(correlation)] = 1.0 + ridge
            try:
                return cls(scale, scipy.linalg.cholesky(correlation, lower=True))
            except np.linalg.LinAlgError:
                # Rounding of float32 products has left a negative eigenvalue.
                ridge *= 10

    def whiten(self, columns: Float64) -> Float64:
        """Return W M for columns M (d, k)."""
        return np.asarray(
            scipy.linalg.solve_triangular(self.factor, columns / self.scale[:, None], lower=True)
        )

    def unwhiten(self, columns: Float64) -> Float64:
        """Return W^-1 U for columns U (d, k)."""
        return np.asarray(self.scale[:, None] * (self.factor @ columns))

    def readers(self, columns: Float64) -> Float64:
        """Return W^T U (d, k): x @ (W^T U) reads the coordinates U^T W x of a row."""
        solved = scipy.linalg.solve_triangular(self.factor, columns, lower=True, trans="T")
        return np.asarray(solved / self.scale[:, None])


def oracle_approximating_shrinkage(correlation: Float64, n_rows: int) -> float:
    """Share of the identity that a correlation matrix of few rows should be mixed with.

    Parameters
    ----------
    correlation : ndarray of shape (d, d)
        With a diagonal of ones.
    n_rows : int
        Rows that it was taken from.

    Returns
    -------
    float
        In [0, 1]; falls as 1 / `n_rows`.

    References
    ----------
    Chen, Wiesel, Eldar and Hero, Shrinkage algorithms for MMSE covariance estimation, 2010.
    """
    d = len(correlation)
    power = float(np.mean(np.square(correlation)))
    excess = (n_rows + 1) * (power - 1 / d)
    return 1.0 if excess <= 0 else min(1.0, (power + 1) / excess)
