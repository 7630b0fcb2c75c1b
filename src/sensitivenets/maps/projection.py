"""phi(x) as it is used: one matrix product and an l2-normalisation, in numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import normalise_rows, row_blocks
from sensitivenets.maps.base import DeclaredMap, Shapes, require_features

# Rows whose input and output stay in the cache between the product and the normalisation.


@dataclass(frozen=True, repr=False)
class Projection(DeclaredMap):
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
    shapes: ClassVar[Shapes] = {"weight": "d k", "bias?": "k"}

    weight: FloatArray
    bias: FloatArray | None = None

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
        require_features(X, self.n_features_in)
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
