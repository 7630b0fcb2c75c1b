"""Neural networks trained for a number of epochs, which validation chooses."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from sensitivenets.audit.attack import Attacker
from sensitivenets.audit.preparations import STANDARDISED, WHITENED
from sensitivenets.embeddings import FloatArray

_STEPS_PER_EPOCH = 30


def mlp(n_seeds: int = 3, name: str = "MLP") -> Attacker:
    """Networks of one or two hidden layers, `n_seeds` of them averaged, for classes."""
    candidates = tuple(
        ({"hidden": list(hidden), "epochs": epochs}, MLPAttacker(hidden, epochs))
        for hidden, epochs in (((256,), 6), ((256,), 15), ((128, 128), 10))
    )
    return Attacker(name, candidates, corrects_prior=True, n_seeds=n_seeds, cost=9)


def mlp_regression() -> Attacker:
    """Networks of one hidden layer, for numbers."""
    candidates = tuple(
        ({"hidden": [256], "epochs": epochs}, EpochRegressor(epochs)) for epochs in (6, 20)
    )
    return Attacker("MLP", candidates, (STANDARDISED, WHITENED), cost=4)


class MLPAttacker(MLPClassifier):
    """Multi-layer perceptron of rectified units, trained by Adam for a number of epochs.

    Its batches fit the rows it gets, so that epochs mean the same everywhere.

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
        with _without_convergence_warning():
            super().fit(X, y)
        return self


class EpochRegressor(MLPRegressor):
    """Multi-layer perceptron of 256 rectified units, trained by Adam for a number of epochs.

    Parameters
    ----------
    epochs : int
        Passes over the rows, in batches of 256.
    random_state : int, optional
        Decides weights and batches.
    """

    def __init__(self, epochs: int = 6, random_state: int | None = None) -> None:
        self.epochs = epochs
        super().__init__(
            hidden_layer_sizes=(256,),
            alpha=1.0,
            max_iter=epochs,
            batch_size=256,
            tol=0.0,
            random_state=random_state,
        )

    def fit(self, X: FloatArray, y: FloatArray) -> EpochRegressor:
        """Fit on rows of shape (n, d) with values of shape (n,)."""
        self.max_iter = self.epochs
        with _without_convergence_warning():
            super().fit(X, y)
        return self


@contextmanager
def _without_convergence_warning() -> Iterator[None]:
    """Say nothing of epochs that ran out: they are a parameter, not a limit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
