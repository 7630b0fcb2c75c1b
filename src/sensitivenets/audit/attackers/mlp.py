"""A neural network whose batches fit the rows it gets, so that epochs mean the same everywhere."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from sensitivenets.embeddings import FloatArray

_STEPS_PER_EPOCH = 30


class MLPAttacker(MLPClassifier):
    """Multi-layer perceptron of rectified units, trained by Adam for a number of epochs.

    Parameters
    ----------
    hidden : tuple of int
        Units of the hidden layers.
    epochs : int
        Passes over the rows, of about 30 batches or more.
    random_state : int, optional
        Decides weights and batches.
    """

    def __init__(
        self,
        hidden: tuple[int, ...] = (256,),
        epochs: int = 15,
        random_state: int | None = None,
    ) -> None:
        self.hidden = hidden
        self.epochs = epochs
        super().__init__(
            hidden, alpha=1.0, max_iter=epochs, n_iter_no_change=epochs, random_state=random_state
        )

    def fit(self, X: FloatArray, y: npt.NDArray[np.int64]) -> MLPAttacker:
        """Fit on rows of shape (n, d) with class codes of shape (n,)."""
        self.hidden_layer_sizes = self.hidden
        self.max_iter = self.n_iter_no_change = self.epochs
        self.batch_size = int(np.clip(len(X) // _STEPS_PER_EPOCH, min(16, len(X)), 256))
        with warnings.catch_warnings():
            # The epochs are a parameter, chosen by validation, not a limit.
            warnings.simplefilter("ignore", ConvergenceWarning)
            super().fit(X, y)
        return self
