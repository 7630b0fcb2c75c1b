"""An affine map, and one of low rank: what linear erasers leave behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import in_row_blocks, row_blocks
from sensitivenets.errors import InputError
from sensitivenets.maps.base import require_features, require_names, shapes

# Rows whose input and output stay in the cache together.
_EDIT_ROWS = 256


@dataclass(frozen=True)
class Affine:
    """x -> x @ weight + bias, not normalised.

    Attributes
    ----------
    weight : ndarray of shape (d, k), float32
        Applied from the right.
    bias : ndarray of shape (k,), float32
        Added after it.
    """

    kind: ClassVar[str] = "affine"

    weight: FloatArray
    bias: FloatArray

    @property
    def n_features_in(self) -> int:
        """Features of an input embedding."""
        return int(self.weight.shape[0])

    @property
    def n_features_out(self) -> int:
        """Features of an output embedding."""
        return int(self.weight.shape[1])

    def __call__(self, X: FloatArray) -> FloatArray:
        """Map (n, d) to (n, k), keeping the type of `X`."""
        require_features(X, self.n_features_in)
        out = X @ self.weight.astype(X.dtype, copy=False)
        out += self.bias
        return out

    def arrays(self) -> dict[str, FloatArray]:
        """Return the arrays to save, by name."""
        return {"weight": self.weight, "bias": self.bias}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, FloatArray]) -> Affine:
        """Rebuild from what `arrays` returned.

        Raises
        ------
        InputError
            If a name is missing or unknown, or a shape does not fit.
        """
        require_names(arrays, {"weight", "bias"})
        weight, bias = arrays["weight"], arrays["bias"]
        if weight.ndim != 2 or bias.shape != weight.shape[1:]:
            raise InputError(f"expected weight (d, k) and bias (k,), found {shapes(arrays)}")
        return cls(weight, bias)


@dataclass(frozen=True)
class LowRankEdit:
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

    read: FloatArray
    offset: FloatArray
    write: FloatArray

    @property
    def n_features_in(self) -> int:
        """Features of an input embedding."""
        return int(self.read.shape[0])

    @property
    def n_features_out(self) -> int:
        """Features of an output embedding."""
        return int(self.read.shape[0])

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

    def arrays(self) -> dict[str, FloatArray]:
        """Return the arrays to save, by name."""
        return {"read": self.read, "offset": self.offset, "write": self.write}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, FloatArray]) -> LowRankEdit:
        """Rebuild from what `arrays` returned.

        Raises
        ------
        InputError
            If a name is missing or unknown, or a shape does not fit.
        """
        require_names(arrays, {"read", "offset", "write"})
        read, offset, write = arrays["read"], arrays["offset"], arrays["write"]
        if read.ndim != 2 or write.shape != read.shape[::-1] or offset.shape != read.shape[1:]:
            raise InputError(
                f"expected read (d, r), offset (r,) and write (r, d), found {shapes(arrays)}"
            )
        return cls(read, offset, write)
