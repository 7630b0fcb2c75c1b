"""An affine map, and one of low rank: what linear erasers leave behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import in_row_blocks, row_blocks
from sensitivenets.maps.base import DeclaredMap, Shapes, require_features

# Rows whose input and output stay in the cache together.
_EDIT_ROWS = 256


@dataclass(frozen=True, repr=False)
class Affine(DeclaredMap):
    """x -> x @ weight + bias, not normalised.

    Attributes
    ----------
    weight : ndarray of shape (d, k), float32
        Applied from the right.
    bias : ndarray of shape (k,), float32
        Added after it.
    """

    kind: ClassVar[str] = "affine"
    shapes: ClassVar[Shapes] = {"weight": "d k", "bias": "k"}

    weight: FloatArray
    bias: FloatArray

    def __call__(self, X: FloatArray) -> FloatArray:
        """Map (n, d) to (n, k), keeping the type of `X`."""
        require_features(X, self.n_features_in)
        out = X @ self.weight.astype(X.dtype, copy=False)
        out += self.bias
        return out


@dataclass(frozen=True, repr=False)
class LowRankEdit(DeclaredMap):
    """x -> x - (x @ read - offset) @ write: all but a few directions stay as they are.

    Attributes
    ----------
    read : ndarray of shape (d, r), float32
        Directions that are read from a row.
    offset : ndarray of shape (r,), float32
        What a mean row reads.
    write : ndarray of shape (r, d), float32
        What is taken from the row for each.
    """

    kind: ClassVar[str] = "low_rank_edit"
    shapes: ClassVar[Shapes] = {"read": "d r", "offset": "r", "write": "r d"}

    read: FloatArray
    offset: FloatArray
    write: FloatArray

    def __call__(self, X: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """Map (n, d) to (n, d), keeping the type of `X`; into `out` if given, which may be `X`."""
        require_features(X, self.n_features_in)
        if out is None:
            out = np.empty_like(X)
        in_row_blocks(self._write, X, out)
        return out

    def _write(self, X: FloatArray, out: FloatArray) -> None:
        read, offset, write = (a.astype(X.dtype, copy=False) for a in self.arrays().values())
        # One buffer for what is taken from the rows: it stays in the cache, and `out` may be `X`.
        taken = np.empty((min(len(X), _EDIT_ROWS), X.shape[1]), dtype=X.dtype)
        # For one direction, dot and outer products are faster than matrix products.
        one = len(write) == 1
        times = np.multiply if one else np.matmul
        for rows in row_blocks(len(X), _EDIT_ROWS):
            block = X[rows]
            read_values = np.vecdot(block, read[:, 0])[:, None] if one else block @ read
            read_values -= offset
            part = taken[: len(block)]
            times(read_values, write, out=part)
            np.subtract(block, part, out=out[rows])
