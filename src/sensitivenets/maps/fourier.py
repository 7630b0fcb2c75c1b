"""A projection of random Fourier features: what kernel erasers leave behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import normalise_rows, row_blocks
from sensitivenets.errors import InputError
from sensitivenets.maps.base import require_features, require_names, shapes

# Rows whose features are held at once.


@dataclass(frozen=True)
class FourierProjection:
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

    frequencies: FloatArray
    phases: FloatArray
    weight: FloatArray
    bias: FloatArray

    @property
    def n_features_in(self) -> int:
        """Features of an input embedding."""
        return int(self.frequencies.shape[0])

    @property
    def n_features_out(self) -> int:
        """Features of an output embedding."""
        return int(self.weight.shape[1])

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

    def arrays(self) -> dict[str, FloatArray]:
        """Return the arrays to save, by name."""
        return {
            "frequencies": self.frequencies,
            "phases": self.phases,
            "weight": self.weight,
            "bias": self.bias,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, FloatArray]) -> FourierProjection:
        """Rebuild from what `arrays` returned.

        Raises
        ------
        InputError
            If a name is missing or unknown, or a shape does not fit.
        """
        require_names(arrays, {"frequencies", "phases", "weight", "bias"})
        frequencies, phases = arrays["frequencies"], arrays["phases"]
        weight, bias = arrays["weight"], arrays["bias"]
        if (
            frequencies.ndim != 2
            or weight.ndim != 2
            or phases.shape != frequencies.shape[1:]
            or weight.shape[:1] != phases.shape
            or bias.shape != weight.shape[1:]
        ):
            raise InputError(
                "expected frequencies (d, D), phases (D,), weight (D, k) and bias (k,), found "
                f"{shapes(arrays)}"
            )
        return cls(frequencies, phases, weight, bias)
