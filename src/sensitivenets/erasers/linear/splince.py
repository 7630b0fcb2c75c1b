"""SPLINCE: LEACE that leaves the covariance with the target exactly as it was."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sensitivenets.erasers.base import Learned, parameterised
from sensitivenets.erasers.linear.leace import CholeskyWhitening, WhitenedEraser, attribute_basis
from sensitivenets.erasers.linear.streaming import low_rank_edit
from sensitivenets.erasers.moments.attribute import AttributeMoments
from sensitivenets.erasers.moments.group import Float64
from sensitivenets.errors import InputError


@parameterised
class SPLINCE(WhitenedEraser):
    """Remove every linear trace of the attributes and keep every linear trace of the target.

    Simultaneous projection for linear concept removal and covariance preservation (Holstege,
    Ravfogel and Wouters, "Preserving Task-Relevant Information Under Linear Concept Removal",
    NeurIPS 2025): the oblique projection whose kernel is that of LEACE, span Sxz, and that leaves
    span Sxy, the directions in which the class means of `y` differ, unchanged. A linear
    classifier of `y` that is not fitted again gives each class the mean score it gave before; one
    that is fitted again without regularisation finds the same as after LEACE. The nearer the two
    spans, the larger the edit: the curve gives the sine of the smallest angle between them.

    Several attributes are removed at once. `y` needs few classes: each but one takes up a
    direction, so that it is a task label and no identity.

    Attributes
    ----------
    model_ : Model
        Its map is `LowRankEdit`; its curve is that of `LEACE` with one more record, ``sine``, in
        [0, 1]: 1 if target and attributes are uncorrelated, where it is LEACE.
    """

    _keeps_target: ClassVar[bool] = True

    def _erase(self, moments: AttributeMoments) -> Learned:
        rows, target = moments.rows, moments.target
        assert target is not None
        whitening = CholeskyWhitening.of(
            rows.covariance, rows.covariance_rows, shrink=self.shrinkage
        )
        removed, curve = attribute_basis(whitening, moments.attributes, self.tolerance)
        directions, correlations, _ = np.linalg.svd(
            whitening.whiten(target.between()), full_matrices=False
        )
        kept = directions[:, correlations > self.tolerance]
        readers, sine = _oblique_readers(removed, kept)
        curve.append({"sine": sine})
        read = whitening.readers(readers)
        return Learned(low_rank_edit(read, whitening.unwhiten(removed).T, rows.mean), tuple(curve))


def _oblique_readers(removed: Float64, kept: Float64) -> tuple[Float64, float]:
    """Find B with B^T removed = I and B^T kept = 0, so that x - removed B^T x is the projection.

    Parameters
    ----------
    removed : ndarray of shape (d, r)
        Orthonormal basis of the kernel.
    kept : ndarray of shape (d, s)
        Orthonormal basis of what stays unchanged.

    Returns
    -------
    B : ndarray of shape (d, r)
        In the span of both.
    sine : float
        Of the smallest angle between the two.

    Raises
    ------
    InputError
        If the two share a direction.
    """
    if not removed.shape[1]:
        return removed, 1.0
    apart = removed - kept @ (kept.T @ removed)
    sine = float(np.linalg.svd(apart, compute_uv=False).min())
    # Four digits of float32 are left in the edit at this angle.
    if removed.shape[1] + kept.shape[1] > len(removed) or sine < 1e-3:
        raise InputError(
            f"SPLINCE: {removed.shape[1]} directions of the attributes and {kept.shape[1]} of the "
            f"target y among {len(removed)} features share one (sine of their angle {sine:.1e}): "
            "it cannot be both removed and kept; use LEACE, or a y of fewer classes"
        )
    # (apart^T removed) is symmetric and has the squared sines as eigenvalues.
    return np.asarray(np.linalg.solve(apart.T @ removed, apart.T).T), min(sine, 1.0)
