"""LEACE: the smallest affine edit after which no linear attacker reads the attributes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.linalg

from sensitivenets.erasers.base import Learned, parameterised
from sensitivenets.erasers.linear.streaming import StreamingEraser, low_rank_edit
from sensitivenets.erasers.moments.attribute import AttributeMoments
from sensitivenets.erasers.moments.group import Float64
from sensitivenets.erasers.moments.pooled import GroupMeans
from sensitivenets.errors import CollapseWarning, DetectorWarning, require_int, require_real

# Rows a feature for covariance_rows="auto": the edit is then larger by up to about 1 / 32.
_ROWS_PER_FEATURE = 32
# Directions of two attributes closer than this are one direction.
_SAME_DIRECTION = 1e-8

# What float32 rows can resolve of a correlation of one.
_RIDGE = float(np.finfo(np.float32).eps)

CovarianceRows = int | Literal["auto"] | None


@parameterised
class WhitenedEraser(StreamingEraser):
    """Base of the erasers whose edit is the smallest in the metric of the covariance.

    Parameters
    ----------
    covariance_rows : int, "auto" or None, default="auto"
        Rows that the covariance of x is taken from, spread over all rows; "auto" is 32 a feature,
        None is all. Class means are always of all rows, so that what is removed is exact either
        way; the covariance only decides which of the edits that do it is the smallest, and from m
        rows the edit is larger, by up to about d / m of its square.
    shrinkage : bool, default=True
        Move correlations of few rows towards zero (oracle approximating shrinkage); of no
        consequence to what is removed, and next to none with many rows a feature.
    tolerance : float, default=1e-6
        Canonical correlation, in [0, 1], at or below which a direction is rounding noise.
    random_state : int, RandomState or None, default=None
        Decides which rows the covariance is taken from.
    """

    covariance_rows: CovarianceRows = "auto"
    shrinkage: bool = True
    tolerance: float = 1e-6

    def _check(self) -> None:
        if self.covariance_rows is not None and self.covariance_rows != "auto":
            require_int("covariance_rows", self.covariance_rows, minimum=2)
        require_real("tolerance", self.tolerance, minimum=0.0, maximum=1.0)

    def _covariance_rows(self, n_features: int) -> int | None:
        return (
            _ROWS_PER_FEATURE * n_features
            if self.covariance_rows == "auto"
            else (self.covariance_rows)
        )


@parameterised
class LEACE(WhitenedEraser):
    """Remove every linear trace of the attributes with the smallest edit that does.

    Least-squares concept erasure (Belrose et al., "LEACE: Perfect linear concept erasure in closed
    form", NeurIPS 2023): x -> x - W^-1 U U^T W (x - mean), with W a whitening of x and U a basis
    of W Sxz, the whitened covariance of x with the one-hot labels. All class means are then equal,
    so that no linear classifier beats the majority class on the rows of the fit, and of all affine
    maps with that property this changes x least. Attackers that are not linear are not hindered.

    Several attributes are removed at once. A direction is dropped from U only if its canonical
    correlation with the labels, which does not depend on units or on how rare a class is, is
    rounding noise; the curve lists all of them. The target `y` is not used.

    Attributes
    ----------
    model_ : Model
        Its map is `LowRankEdit`; its curve has a record for each canonical correlation: attribute,
        correlation, kept.
    """

    def _erase(self, moments: AttributeMoments) -> Learned:
        return leace(moments, shrinkage=self.shrinkage, tolerance=self.tolerance)


def leace(moments: AttributeMoments, *, shrinkage: bool = True, tolerance: float = 1e-6) -> Learned:
    """Compute LEACE from moments alone; see `LEACE` for the parameters and the curve."""
    rows = moments.rows
    whitening = CholeskyWhitening.of(rows.covariance, rows.covariance_rows, shrink=shrinkage)
    basis, curve = attribute_basis(whitening, moments.attributes, tolerance)
    read, write = whitening.readers(basis), whitening.unwhiten(basis).T
    return Learned(low_rank_edit(read, write, rows.mean), tuple(curve))


def attribute_basis(
    whitening: CholeskyWhitening, attributes: Mapping[str, GroupMeans], tolerance: float
) -> tuple[Float64, list[dict[str, Any]]]:
    """Find the whitened directions that the class means of any attribute differ in.

    Returns
    -------
    basis : ndarray of shape (d, r)
        Orthonormal.
    curve : list of dict
        Each canonical correlation, largest first within an attribute: attribute, correlation,
        kept.

    Warns
    -----
    DetectorWarning
        If an attribute has no direction.
    CollapseWarning
        If there are as many directions as features.
    """
    found, curve = [], []
    for name, classes in attributes.items():
        directions, correlations, _ = np.linalg.svd(
            whitening.whiten(classes.between()), full_matrices=False
        )
        kept = correlations > tolerance
        # The weighted means of k classes add up to zero: at most k - 1 differ.
        for k in range(min(len(classes.counts) - 1, len(correlations))):
            correlation = float(min(correlations[k], 1.0))
            curve.append({"attribute": name, "correlation": correlation, "kept": bool(kept[k])})
        if not kept.any():
            warnings.warn(
                f"attribute {name!r}: its class means are equal (canonical correlation "
                f"{correlations.max():.1e}); there is nothing for a linear eraser to remove",
                DetectorWarning,
                stacklevel=2,
            )
        found.append(directions[:, kept])
    stacked = np.concatenate(found, axis=1)
    if not stacked.shape[1]:
        return stacked, curve
    basis, lengths, _ = np.linalg.svd(stacked, full_matrices=False)
    basis = basis[:, lengths > _SAME_DIRECTION * lengths[0]]
    if basis.shape[1] == len(basis):
        warnings.warn(
            f"the attributes have {basis.shape[1]} directions, as many as there are features: "
            "the output is constant; remove fewer attributes",
            CollapseWarning,
            stacklevel=2,
        )
    return basis, curve


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
