"""No eraser at all: what every other is compared with."""

from __future__ import annotations

import numpy as np

from sensitivenets.erasers.base import Eraser, FitData, Learned, unchanged


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
        return unchanged(data.X.shape[1])
