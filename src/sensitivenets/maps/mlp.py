"""A multi-layer perceptron as a frozen map, in numpy alone: what neural erasers leave behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import normalise_rows, row_blocks
from sensitivenets.errors import InputError
from sensitivenets.maps.base import require_features, require_names, shapes

# Rows whose hidden layers are held at one time.


@dataclass(frozen=True)
class MLP:
    """Dense layers with ReLU between them, and an l2-normalisation if asked for.

    x -> relu(... relu(x @ weights[0] + biases[0]) ...) @ weights[-1] + biases[-1]. The last layer
    is linear.

    Attributes
    ----------
    weights : tuple of ndarray of shape (d_j, d_{j+1}), float32
        One a layer, at least one; applied from the right.
    biases : tuple of ndarray of shape (d_{j+1},), float32
        One a layer.
    normalise : bool
        Whether output rows are scaled to unit length; a zero row stays zero.
    """

    kind: ClassVar[str] = "mlp"

    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]
    normalise: bool = False

    @property
    def n_features_in(self) -> int:
        """Features of an input embedding."""
        return int(self.weights[0].shape[0])

    @property
    def n_features_out(self) -> int:
        """Features of an output embedding."""
        return int(self.weights[-1].shape[1])

    def __call__(self, X: FloatArray) -> FloatArray:
        """Map (n, d) to (n, k), keeping the type of `X`."""
        require_features(X, self.n_features_in)
        weights = [weight.astype(X.dtype, copy=False) for weight in self.weights]
        biases = [bias.astype(X.dtype, copy=False) for bias in self.biases]
        out = np.empty((len(X), self.n_features_out), dtype=X.dtype)
        for block in row_blocks(len(X)):
            rows = X[block]
            for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
                rows = rows @ weight
                rows += bias
                if layer < len(weights) - 1:
                    np.maximum(rows, 0, out=rows)
            if self.normalise:
                normalise_rows(rows)
            out[block] = rows
        return out

    def arrays(self) -> dict[str, FloatArray]:
        """Return the arrays to save: ``weight_0``, ``bias_0``, ..., and ``normalise`` (0 or 1)."""
        layers: dict[str, FloatArray] = {}
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            layers |= {f"weight_{k}": weight, f"bias_{k}": bias}
        return layers | {"normalise": np.array([self.normalise], dtype=np.float32)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, FloatArray]) -> MLP:
        """Rebuild from what `arrays` returned.

        Raises
        ------
        InputError
            If a name is missing or unknown, or a shape does not fit.
        """
        n_layers = max(1, len(arrays) // 2)
        names = [(f"weight_{k}", f"bias_{k}") for k in range(n_layers)]
        require_names(arrays, {"normalise", *(name for pair in names for name in pair)})
        weights = tuple(arrays[weight] for weight, _ in names)
        biases = tuple(arrays[bias] for _, bias in names)
        _require_layers(weights, biases, arrays)
        flag = arrays["normalise"]
        if flag.shape != (1,) or flag[0] not in {0, 1}:
            raise InputError(f"expected normalise to be one number, 0 or 1; found {flag.tolist()}")
        return cls(weights, biases, bool(flag[0]))


def _require_layers(
    weights: tuple[FloatArray, ...],
    biases: tuple[FloatArray, ...],
    arrays: Mapping[str, FloatArray],
) -> None:
    fits = all(
        weight.ndim == 2 and bias.shape == weight.shape[1:]
        for weight, bias in zip(weights, biases, strict=True)
    ) and all(a.shape[1] == b.shape[0] for a, b in pairwise(weights))
    if not fits:
        raise InputError(
            "expected weight_k of shape (d_k, d_k+1) and bias_k of (d_k+1,), each layer taking "
            f"what the one before gives; found {shapes(arrays)}"
        )
