"""The quadratic attacker: reads what hides in products of features, along any direction.

Erasing the class means (and LEACE, SAL, INLP do little else) leaves the class covariances. Where
they differ, some directions have more energy in one class than in the others: the common spatial
patterns of brain-computer interfaces (Koles et al. 1990; Blankertz et al. 2008). A label that
sits only in the product of two features, rotated or not, shows up there.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from sensitivenets.embeddings import FloatArray


class QuadraticClassifier(ClassifierMixin, BaseEstimator):
    """Logistic regression on the features, on selected products of them, and of their directions.

    Parameters
    ----------
    n_directions : int
        Eigenvectors of (class covariance - pooled covariance), the largest in magnitude, shared
        out among the classes. All their products of two are features.
    n_products : int
        Products of two single features whose class means differ most, in standard errors.
    C : float
        Inverse strength of the l2 penalty.
    """

    def __init__(self, n_directions: int = 24, n_products: int = 64, C: float = 0.01) -> None:
        self.n_directions = n_directions
        self.n_products = n_products
        self.C = C

    def fit(self, X: FloatArray, y: npt.NDArray[np.int64]) -> QuadraticClassifier:
        """Find the directions and products, then fit the logistic regression.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Standardised or whitened features.
        y : ndarray of shape (n,)
            Class codes.

        Returns
        -------
        QuadraticClassifier
            Itself.
        """
        self.classes_ = np.unique(y)
        self._center = X.mean(axis=0)
        centred = X - self._center
        self._directions = self._find_directions(centred, y)
        self._left, self._right = self._find_products(centred, y)
        features = self._features(X)
        self._mean, self._scale = features.mean(axis=0), features.std(axis=0)
        self._scale[self._scale == 0] = 1
        self._logistic = LogisticRegression(C=self.C, max_iter=300, class_weight="balanced")
        self._logistic.fit((features - self._mean) / self._scale, y)
        return self

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """Class probabilities, shape (n, classes), for equally frequent classes."""
        scaled = (self._features(X) - self._mean) / self._scale
        return self._logistic.predict_proba(scaled)  # type: ignore[no-any-return]

    def predict(self, X: FloatArray) -> npt.NDArray[np.int64]:
        """Most probable class of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]  # type: ignore[no-any-return]

    def _find_directions(self, centred: FloatArray, y: npt.NDArray[np.int64]) -> FloatArray:
        # With two classes the second difference is the first one with the sign changed.
        classes = self.classes_[:1] if len(self.classes_) == 2 else self.classes_
        each = max(self.n_directions // len(classes), 2)
        pooled = _covariance(centred)
        found = []
        for label in classes:
            difference = _covariance(centred[y == label]) - pooled
            energies, directions = np.linalg.eigh(difference)
            found.append(directions[:, np.argsort(-np.abs(energies), kind="stable")[:each]])
        return np.hstack(found)

    def _find_products(
        self, centred: FloatArray, y: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        n, d = centred.shape
        mean = centred.T @ centred / n
        squares = centred**2
        deviation = np.sqrt(np.maximum(squares.T @ squares / n - mean**2, 1e-30))
        largest = np.zeros((d, d))
        for label in self.classes_:
            rows = centred[y == label]
            shift = np.abs(rows.T @ rows / len(rows) - mean) * np.sqrt(len(rows)) / deviation
            largest = np.maximum(largest, shift)
        left, right = np.triu_indices(d)
        best = np.argsort(-largest[left, right], kind="stable")[: self.n_products]
        return left[best], right[best]

    def _features(self, X: FloatArray) -> FloatArray:
        centred = X - self._center
        along = centred @ self._directions
        i, j = np.triu_indices(along.shape[1])
        return np.hstack([
            X,
            along[:, i] * along[:, j],
            centred[:, self._left] * centred[:, self._right],
        ])


def _covariance(rows: FloatArray) -> FloatArray:
    centred = rows - rows.mean(axis=0)
    return centred.T @ centred / len(rows)  # type: ignore[no-any-return]
