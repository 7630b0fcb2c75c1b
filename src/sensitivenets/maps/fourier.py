"""A projection of random Fourier features: what kernel erasers leave behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import normalise_rows, row_blocks
from sensitivenets.maps.base import DeclaredMap, Shapes, require_features

# Rows whose features are held at once.


@dataclass(frozen=True, repr=False)
class FourierProjection(DeclaredMap):
    """x -> normalise(cos(x @ frequencies + phases) @ weight + bias).

    With Gaussian frequencies and uniform phases the cosines are features of a Gaussian kernel
    (Rahimi and Recht, "Random Features for Large-Scale Kernel Machines", NIPS 2007), and the
    weights a projection in its space.

    Attributes
    ----------
    frequencies : ndarray of shape (d, D), float32
        Directions and scales of the cosines.
    phases : ndarray of shape (D,), float32
        In [0, 2 pi).
    weight : ndarray of shape (D, k), float32
        Projection of the cosines.
    bias : ndarray of shape (k,), float32
        Added before the normalisation.
    """

    kind: ClassVar[str] = "fourier_projection"
    shapes: ClassVar[Shapes] = {"frequencies": "d D", "phases": "D", "weight": "D k", "bias": "k"}

    frequencies: FloatArray
    phases: FloatArray
    weight: FloatArray
    bias: FloatArray

    def __call__(self, X: FloatArray) -> FloatArray:
        """Map (n, d) to unit rows (n, k), keeping the type of `X`; a zero row stays zero."""
        require_features(X, self.n_features_in)
        frequencies, phases, weight, bias = (
            a.astype(X.dtype, copy=False) for a in self.arrays().values()
        )
        out = np.empty((len(X), self.n_features_out), dtype=X.dtype)
        for rows in row_blocks(len(X)):
            cosines = X[rows] @ frequencies
            cosines += phases
            np.cos(cosines, out=cosines)
            block = out[rows]
            np.matmul(cosines, weight, out=block)
            block += bias
            normalise_rows(block)
        return out
