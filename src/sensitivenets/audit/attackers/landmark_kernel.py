"""A kernel machine for a hundred thousand rows: a Gaussian kernel, seen from some of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.linalg
from sklearn.base import BaseEstimator, ClassifierMixin

from sensitivenets.audit.attack import Attacker
from sensitivenets.audit.attackers.smooth_functions import gaussian_kernel, relative_gamma
from sensitivenets.audit.preparations import WHITENED
from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import row_blocks

# Rows whose kernel against all landmarks is held at once.
_KERNEL_ROWS = 4096
# Shares below this are not told from none.
_LEAST_SHARE = 1e-3


def landmark_kernel() -> Attacker:
    """Kernel machine of any number of rows and classes (see `LandmarkKernel`)."""
    candidates = tuple(({"gamma_factor": g}, LandmarkKernel(g)) for g in (0.5, 1.0))
    return Attacker("landmark kernel", candidates, (WHITENED,), corrects_prior=True, cost=6)


class LandmarkKernel(ClassifierMixin, BaseEstimator):
    """Ridge regression of the classes on a Gaussian kernel's columns of landmarks (Nystroem).

    Time and memory grow with rows times landmarks, not with rows squared.

    Parameters
    ----------
    gamma_factor : float
        1 makes two rows at the mean distance exp(-2) similar.
    n_landmarks : int
        Rows that the others are compared with.
    ridge : float
        Added to the mean squared error, times the squared norm of the function.
    random_state : int, optional
        Draws the landmarks.
    """

    def __init__(
        self,
        gamma_factor: float = 1.0,
        n_landmarks: int = 1500,
        ridge: float = 1e-5,
        random_state: int | None = None,
    ) -> None:
        self.gamma_factor = gamma_factor
        self.n_landmarks = n_landmarks
        self.ridge = ridge
        self.random_state = random_state

    def fit(self, X: FloatArray, y: npt.NDArray[np.int64]) -> LandmarkKernel:
        """Fit on rows of shape (n, d) with class codes of shape (n,)."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self._gamma = relative_gamma(X, self.gamma_factor)
        # Distances lose digits far from the origin.
        self._center = X.mean(axis=0)
        drawn = np.random.default_rng(self.random_state).permutation(len(X))[: self.n_landmarks]
        self._landmarks = X[drawn] - self._center
        products = self.ridge * len(X) * gaussian_kernel(
            self._landmarks, self._landmarks, self._gamma
        )
        products[np.diag_indices_from(products)] += 1e-9 * len(X)
        marked = np.zeros((len(drawn), len(self.classes_)))
        for rows in row_blocks(len(X), _KERNEL_ROWS):
            kernel = self._kernel(X[rows])
            products += kernel.T @ kernel
            marked += kernel.T @ np.eye(len(self.classes_))[codes[rows]]
        self._weights = scipy.linalg.solve(products, marked, assume_a="pos", overwrite_a=True)
        return self

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """Share of each class at each row, shape (n, classes)."""
        blocks = [
            self._kernel(X[rows]) @ self._weights for rows in row_blocks(len(X), _KERNEL_ROWS)
        ]
        shares = np.maximum(np.vstack(blocks), _LEAST_SHARE)
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def predict(self, X: FloatArray) -> npt.NDArray[np.int64]:
        """Class of each row."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    def _kernel(self, X: FloatArray) -> FloatArray:
        return gaussian_kernel(X - self._center, self._landmarks, self._gamma)
