"""What to compare with: embeddings as they are, and what losing features alone does to them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sensitivenets.erasers.base import Eraser, FitData, Learned, parameterised
from sensitivenets.errors import InputError, require_int
from sensitivenets.maps.affine import Affine, LowRankEdit


@parameterised
class RandomProjection(Eraser):
    """Keep a random subspace: a control, for it knows nothing of the attributes.

    A method that loses features and hides an attribute no better than this has hidden nothing on
    purpose. The axes are orthonormal and uniform over all subspaces of that many dimensions.

    Parameters
    ----------
    n_components : int, default=32
        Features of the output; at most those of the input.
    random_state : int, RandomState or None, default=None
        Decides the subspace.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((20, 8)).astype(np.float32)
    >>> sensitive = ["a", "b"] * 10
    >>> RandomProjection(n_components=3, random_state=0).fit_transform(X, sensitive=sensitive).shape
    (20, 3)
    """

    n_components: int = 32

    _needs_attributes: ClassVar[bool] = False

    def _learn(self, data: FitData) -> Learned:
        require_int("n_components", self.n_components, minimum=1)
        n_features = data.X.shape[1]
        if self.n_components > n_features:
            raise InputError(
                f"n_components: expected at most the {n_features} features of the embeddings; "
                f"found {self.n_components}"
            )
        rng = np.random.default_rng(data.seed)
        # The axes of a Gaussian matrix are uniform; the signs of QR do not move the subspace.
        axes, _ = np.linalg.qr(rng.standard_normal((n_features, self.n_components)))
        weight = np.asarray(axes, dtype=np.float32)
        return Learned(Affine(weight, np.zeros(self.n_components, dtype=np.float32)))


@parameterised
class Unchanged(Eraser):
    """Leave the embeddings as they are: all of the leakage and all of the utility.

    Parameters
    ----------
    random_state : int, RandomState or None, default=None
        Of no effect; every eraser has it.

    Examples
    --------
    >>> X = np.eye(3, dtype=np.float32)
    >>> bool((Unchanged().fit_transform(X, sensitive=["a", "b", "a"]) == X).all())
    True
    """

    _needs_attributes: ClassVar[bool] = False

    def _learn(self, data: FitData) -> Learned:
        return unchanged(data.X.shape[1])


def unchanged(n_features: int) -> Learned:
    """Return what is learned where nothing is to be removed."""
    nothing = np.zeros((n_features, 0), dtype=np.float32)
    return Learned(LowRankEdit(read=nothing, offset=nothing[0], write=nothing.T))
