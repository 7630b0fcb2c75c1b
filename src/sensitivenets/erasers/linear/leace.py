"""LEACE: the smallest affine edit after which no linear attacker reads the attributes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from sensitivenets.erasers.base import Learned
from sensitivenets.erasers.linear.streaming import StreamingEraser, low_rank_edit
from sensitivenets.erasers.linear.whitening import CholeskyWhitening
from sensitivenets.erasers.moments.attribute import AttributeMoments
from sensitivenets.erasers.moments.group import Float64
from sensitivenets.erasers.moments.pooled import GroupMeans
from sensitivenets.errors import CollapseWarning, DetectorWarning, require_int, require_real

# Rows a feature for covariance_rows="auto": the edit is then larger by up to about 1 / 32.
_ROWS_PER_FEATURE = 32
# Directions of two attributes closer than this are one direction.
_SAME_DIRECTION = 1e-8

CovarianceRows = int | Literal["auto"] | None


class LEACE(StreamingEraser):
    """Remove every linear trace of the attributes with the smallest edit that does.

    Least-squares concept erasure (Belrose et al., "LEACE: Perfect linear concept erasure in closed
    form", NeurIPS 2023): x -> x - W^-1 U U^T W (x - mean), with W a whitening of x and U a basis
    of W Sxz, the whitened covariance of x with the one-hot labels. All class means are then equal,
    so that no linear classifier beats the majority class on the rows of the fit, and of all affine
    maps with that property this changes x least. Attackers that are not linear are not hindered.

    Several attributes are removed at once. A direction is dropped from U only if its canonical
    correlation with the labels, which does not depend on units or on how rare a class is, is
    rounding noise; the curve lists all of them. The target `y` is not used.

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

    Attributes
    ----------
    model_ : Model
        Its map is `LowRankEdit`; its curve has a record for each canonical correlation: attribute,
        correlation, kept.
    """

    def __init__(
        self,
        *,
        covariance_rows: CovarianceRows = "auto",
        shrinkage: bool = True,
        tolerance: float = 1e-6,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.covariance_rows = covariance_rows
        self.shrinkage = shrinkage
        self.tolerance = tolerance
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_moment_parameters(self.covariance_rows, self.tolerance)

    def _covariance_rows(self, n_features: int) -> int | None:
        return rows_for_covariance(self.covariance_rows, n_features)

    def _erase(self, moments: AttributeMoments) -> Learned:
        return leace(moments, shrinkage=self.shrinkage, tolerance=self.tolerance)


def leace(moments: AttributeMoments, *, shrinkage: bool = True, tolerance: float = 1e-6) -> Learned:
    """Compute LEACE from moments alone; see `LEACE` for the parameters and the curve."""
    rows = moments.rows
    whitening = CholeskyWhitening.of(rows.covariance, rows.covariance_rows, shrink=shrinkage)
    basis, curve = attribute_basis(whitening, moments.attributes, tolerance)
    read, write = whitening.readers(basis), whitening.unwhiten(basis).T
    return Learned(low_rank_edit(read, write, rows.mean), tuple(curve))


def check_moment_parameters(covariance_rows: CovarianceRows, tolerance: float) -> None:
    """Refuse parameters that cannot be used.

    Raises
    ------
    InputError
        Naming the parameter and the value.
    """
    if covariance_rows is not None and covariance_rows != "auto":
        require_int("covariance_rows", covariance_rows, minimum=2)
    require_real("tolerance", tolerance, minimum=0.0, maximum=1.0)


def rows_for_covariance(covariance_rows: CovarianceRows, n_features: int) -> int | None:
    """Resolve "auto" to a number of rows."""
    return _ROWS_PER_FEATURE * n_features if covariance_rows == "auto" else covariance_rows


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
