"""A multi-layer perceptron as a frozen map, in numpy alone: what neural erasers leave behind."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import normalise_rows, row_blocks
from sensitivenets.errors import InputError
from sensitivenets.maps.base import DeclaredMap, Shapes, require_features

# Rows whose hidden layers are held at one time.


@dataclass(frozen=True, repr=False)
class MLP(DeclaredMap):
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
    def declared(cls, names: Collection[str]) -> Shapes:
        """Return the declaration of as many layers as `names` are for, at least one."""
        n_layers = max(1, len(names) // 2)
        widths = ["d", *(f"h{k}" for k in range(1, n_layers)), "k"]
        layers: dict[str, str] = {}
        for k, (before, after) in enumerate(pairwise(widths)):
            layers |= {f"weight_{k}": f"{before} {after}", f"bias_{k}": after}
        return layers | {"normalise": "1"}

    @classmethod
    def _of(cls, arrays: Mapping[str, FloatArray]) -> MLP:
        (flag,) = arrays["normalise"]
        if flag not in {0, 1}:
            raise InputError(f"mlp: expected normalise to be one number, 0 or 1; found {flag}")
        layers = range(len(arrays) // 2)
        weights, biases = (tuple(arrays[f"{n}_{k}"] for k in layers) for n in ("weight", "bias"))
        return cls(weights, biases, bool(flag))
