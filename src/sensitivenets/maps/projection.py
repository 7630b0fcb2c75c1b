"""phi(x) as it is used: one matrix product and an l2-normalisation, in numpy alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import normalise_rows, row_blocks
from sensitivenets.errors import InputError

# Rows whose input and output stay in the cache between the product and the normalisation.


@dataclass(frozen=True)
class Projection:
    """A fitted linear map followed by an l2-normalisation.

    Layers with linear activation fold into one matrix, so this is all there is to apply.

    Attributes
    ----------
    weight : ndarray of shape (d, k), float32
        The product of all layers.
    bias : ndarray of shape (k,), float32, or None
        Added before the normalisation.
    """

    kind: ClassVar[str] = "projection"

    weight: FloatArray
    bias: FloatArray | None = None

    @property
    def n_features_in(self) -> int:
        """Features of an input embedding."""
        return int(self.weight.shape[0])

    @property
    def n_features_out(self) -> int:
        """Features of an output embedding."""
        return int(self.weight.shape[1])

    def __call__(self, X: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """Compute normalise(X @ weight + bias).

        Parameters
        ----------
        X : ndarray of shape (n, d), float32 or float64
            Embeddings; never copied as a whole.
        out : ndarray of shape (n, k), optional
            Written to if given.

        Returns
        -------
        ndarray of shape (n, k), of the type of `X`
            Unit rows; a row that the map sends to zero stays zero.

        Raises
        ------
        InputError
            If `X` has another number of features, or is not of a floating-point type.
        """
        if X.ndim != 2 or X.shape[1] != self.n_features_in:
            raise InputError(
                f"expected embeddings of {self.n_features_in} features, found an array of shape "
                f"{X.shape}; use the network that made the training embeddings"
            )
        if X.dtype.kind != "f":
            raise InputError(f"expected floating-point embeddings, found {X.dtype}; convert them")
        weight = self.weight.astype(X.dtype, copy=False)
        bias = None if self.bias is None else self.bias.astype(X.dtype, copy=False)
        if out is None:
            out = np.empty((len(X), self.n_features_out), dtype=X.dtype)
        for rows in row_blocks(len(X)):
            block = out[rows]
            np.matmul(X[rows], weight, out=block)
            if bias is not None:
                block += bias
            normalise_rows(block)
        return out

    def arrays(self) -> dict[str, FloatArray]:
        """Return the arrays to save, by name."""
        return {"weight": self.weight} | ({} if self.bias is None else {"bias": self.bias})

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, FloatArray]) -> Projection:
        """Rebuild from what `arrays` returned.

        Raises
        ------
        InputError
            If a name is missing or unknown, or a shape does not fit.
        """
        unknown = set(arrays) - {"weight", "bias"}
        if "weight" not in arrays or unknown:
            raise InputError(f"expected arrays weight and bias (optional), found {sorted(arrays)}")
        weight, bias = arrays["weight"], arrays.get("bias")
        if weight.ndim != 2 or (bias is not None and bias.shape != weight.shape[1:]):
            shapes = {name: array.shape for name, array in arrays.items()}
            raise InputError(f"expected weight of shape (d, k) and bias of (k,), found {shapes}")
        return cls(weight, bias)
