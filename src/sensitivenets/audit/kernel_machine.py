"""A support vector machine whose kernel width is relative to the spread of its training rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.svm import SVC

from sensitivenets.embeddings import FloatArray

# Megabytes of kernel rows kept by one machine: two of them stay far below 2 GiB.
_CACHE = 300


class RelativeSVC(SVC):
    """RBF-SVM with gamma = gamma_factor / (total variance of the training rows).

    Unlike scikit-learn's ``gamma="scale"`` it does not mistake distant feature means for spread,
    nor change under a rotation to fewer features.

    Parameters
    ----------
    gamma_factor : float
        1 makes two rows at the mean distance exp(-2) similar.
    C : float
        Penalty of an error.
    """

    def __init__(self, gamma_factor: float = 1.0, C: float = 1.0) -> None:
        self.gamma_factor = gamma_factor
        super().__init__(C=C, class_weight="balanced", cache_size=_CACHE)

    def fit(self, X: FloatArray, y: npt.NDArray[np.int64]) -> RelativeSVC:
        """Fit on rows of shape (n, d) with class codes of shape (n,)."""
        spread = float(np.sum(np.var(X, axis=0, dtype=np.float64)))
        self.gamma = self.gamma_factor / max(spread, 1e-12)
        super().fit(X, y)
        return self
