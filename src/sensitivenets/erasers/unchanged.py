"""No eraser at all: what every other is compared with."""

from __future__ import annotations

import numpy as np

from sensitivenets.affine import Affine
from sensitivenets.erasers.base import Eraser, FitData, Learned


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

    def __init__(self, *, random_state: int | np.random.RandomState | None = None) -> None:
        self.random_state = random_state

    def _learn(self, data: FitData) -> Learned:
        n_features = data.X.shape[1]
        identity = np.eye(n_features, dtype=np.float32)
        return Learned(Affine(identity, np.zeros(n_features, dtype=np.float32)))
