"""SAL: drop the directions of largest covariance with the attributes."""

from __future__ import annotations

import numpy as np

from sensitivenets.erasers.base import Learned, parameterised
from sensitivenets.erasers.linear.streaming import StreamingEraser, low_rank_edit
from sensitivenets.erasers.moments.attribute import AttributeMoments
from sensitivenets.errors import require_int, require_real


@parameterised
class SAL(StreamingEraser):
    """Project out the directions of largest covariance with the attributes.

    Spectral attribute removal (Shao, Ziser and Cohen, "Gold Doesn't Always Glitter: Spectral
    Removal of Linear and Nonlinear Guarded Attribute Information", EACL 2023): x - U U^T (x -
    mean), with U the first left singular vectors of Sxz, the covariance of x with the one-hot
    labels. With all of them the class means are equal, as after LEACE, by an edit that is larger
    but needs no covariance of x: one reading of the rows is all it costs. The original does not
    subtract the mean; the results differ by a constant.

    Several attributes are removed at once: their labels stand side by side. `y` is not used.

    Parameters
    ----------
    n_directions : int, optional
        Singular vectors to drop; all that are not rounding noise unless given.
    tolerance : float, default=1e-6
        Singular value, as a share of the largest, at or below which it is rounding noise.
    random_state : int, RandomState or None, default=None
        Nothing here is random.

    Attributes
    ----------
    model_ : Model
        Its map is `LowRankEdit`; its curve has a record for each singular value: covariance,
        kept (as a direction to remove).
    """

    n_directions: int | None = None
    tolerance: float = 1e-6

    def _check(self) -> None:
        if self.n_directions is not None:
            require_int("n_directions", self.n_directions, minimum=1)
        require_real("tolerance", self.tolerance, minimum=0.0, maximum=1.0)

    def _erase(self, moments: AttributeMoments) -> Learned:
        crossed = [classes.cross_covariance() for classes in moments.attributes.values()]
        directions, covariances, _ = np.linalg.svd(
            np.concatenate(crossed, axis=1), full_matrices=False
        )
        kept = covariances > self.tolerance * covariances[0]
        if self.n_directions is not None:
            kept[self.n_directions :] = False
        curve = tuple(
            {"covariance": float(covariance), "kept": bool(keep)}
            for covariance, keep in zip(covariances, kept, strict=True)
        )
        basis = directions[:, kept]
        return Learned(low_rank_edit(basis, basis.T, moments.rows.mean), curve)
