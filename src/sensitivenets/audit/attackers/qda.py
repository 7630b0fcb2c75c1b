"""Regularised discriminant analysis: Gaussian classes, covariances shrunk to pooled and to round.

Friedman, "Regularized discriminant analysis" (JASA 1989). Unlike scikit-learn's quadratic
discriminant analysis it works with fewer rows of a class than features.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.linalg
from sklearn.base import BaseEstimator, ClassifierMixin

from sensitivenets.embeddings import FloatArray


class RegularisedQDA(ClassifierMixin, BaseEstimator):
    """Quadratic discriminant analysis for equally frequent classes.

    Parameters
    ----------
    pooled : float
        Share of the pooled covariance in that of each class, in [0, 1]: 1 is linear.
    round : float
        Share of a multiple of the identity, of the same trace, in (0, 1].
    """

    def __init__(self, pooled: float = 0.0, round: float = 0.3) -> None:  # noqa: A002
        self.pooled = pooled
        self.round = round

    def fit(self, X: FloatArray, y: npt.NDArray[np.int64]) -> RegularisedQDA:
        """Fit on rows of shape (n, d) with class codes of shape (n,).

        Raises
        ------
        ValueError
            If there is one class only, or all rows are equal.
        """
        self.classes_, index = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("one class only")
        counts = np.bincount(index)
        self._means = np.stack([X[index == k].mean(axis=0) for k in range(len(counts))])
        own = [_covariance(X[index == k], self._means[k]) for k in range(len(counts))]
        common = np.einsum("k,kij->ij", counts / counts.sum(), np.stack(own))
        if np.trace(common) <= 0:
            raise ValueError("the rows of each class are equal")
        self._factors = [self._factor(covariance, common) for covariance in own]
        return self

    def decision_function(self, X: FloatArray) -> FloatArray:
        """Log likelihoods of the classes, up to a constant: shape (n, classes)."""
        columns = []
        for mean, factor in zip(self._means, self._factors, strict=True):
            whitened = scipy.linalg.solve_triangular(factor, (X - mean).T, lower=True)
            columns.append(-0.5 * (whitened**2).sum(axis=0) - np.log(np.diag(factor)).sum())
        return np.stack(columns, axis=1)

    def predict(self, X: FloatArray) -> npt.NDArray[np.int64]:
        """Most likely class of each row."""
        return np.asarray(self.classes_[self.decision_function(X).argmax(axis=1)])

    def _factor(self, own: FloatArray, common: FloatArray) -> FloatArray:
        mixed = (1 - self.pooled) * own + self.pooled * common
        trace = max(np.trace(mixed), 1e-6 * np.trace(common))
        mixed = (1 - self.round) * mixed + self.round * trace / len(mixed) * np.eye(len(mixed))
        return np.asarray(scipy.linalg.cholesky(mixed, lower=True))


def _covariance(rows: FloatArray, mean: FloatArray) -> FloatArray:
    centred = rows - mean
    return np.asarray(centred.T @ centred / len(rows))
