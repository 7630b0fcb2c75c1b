"""The router: which group does an embedding look like? Gaussian groups, in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import row_blocks
from sensitivenets.errors import InputError
from sensitivenets.maps.base import require_features, require_names, shapes


@dataclass(frozen=True)
class Router:
    """Quadratic discriminant scores of each group.

    Attributes
    ----------
    means : ndarray of shape (groups, d), float32
        Mean of each group.
    whitening : ndarray of shape (groups, d, d), float32
        Inverse root of each group's covariance.
    offsets : ndarray of shape (groups,), float32
        Log prior minus half the log determinant.
    """

    means: FloatArray
    whitening: FloatArray
    offsets: FloatArray

    @property
    def n_groups(self) -> int:
        """Groups told apart."""
        return len(self.means)

    def scores(self, X: FloatArray) -> FloatArray:
        """Log posterior of each group up to a constant of the row, shape (n, groups)."""
        require_features(X, self.means.shape[1])
        scores = np.empty((len(X), self.n_groups), dtype=np.float32)
        for rows in row_blocks(len(X)):
            block = X[rows].astype(np.float32, copy=False)
            for g, (mean, whitening) in enumerate(zip(self.means, self.whitening, strict=True)):
                white = (block - mean) @ whitening
                distance = np.einsum("ij,ij->i", white, white)
                scores[rows, g] = self.offsets[g] - distance / 2
        return scores

    def __call__(self, X: FloatArray) -> npt.NDArray[np.int64]:
        """Index of the most probable group of each row, shape (n,)."""
        return np.asarray(self.scores(X).argmax(axis=1))

    def arrays(self) -> dict[str, FloatArray]:
        """Return the arrays to save, by name."""
        return {"means": self.means, "whitening": self.whitening, "offsets": self.offsets}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, FloatArray]) -> Router:
        """Rebuild from what `arrays` returned.

        Raises
        ------
        InputError
            If a name is missing or unknown, or a shape does not fit.
        """
        require_names(arrays, {"means", "whitening", "offsets"})
        means, whitening, offsets = (arrays[n] for n in ("means", "whitening", "offsets"))
        fits = means.ndim == 2 and offsets.shape == means.shape[:1]
        if not fits or whitening.shape != (*means.shape, means.shape[1]):
            raise InputError(
                "router: expected means (groups, d), whitening (groups, d, d) and offsets "
                f"(groups,), found {shapes(arrays)}"
            )
        return cls(means, whitening, offsets)
