"""Universal codes: bits that say whether two embeddings are near, and not how far apart they are.

References
----------
Boufounos, Universal rate-efficient scalar quantization. IEEE Trans. Inf. Theory 58 (3), 2012.
Boufounos and Rane, Secure binary embeddings for privacy preserving nearest neighbors. WIFS 2011.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import in_row_blocks, normalise_rows, row_blocks
from sensitivenets.errors import InputError
from sensitivenets.maps.base import DeclaredMap, Shapes, require_features

PackedBits = npt.NDArray[np.uint8]

# Rows whose half turns are held at once: few enough that they stay in the cache.
_HALF_TURN_ROWS = 256


@dataclass(frozen=True, repr=False)
class UniversalCode(DeclaredMap):
    """x -> sign(cos(A^T x / |x| + w)), as packed bits or as numbers.

    Attributes
    ----------
    directions : ndarray of shape (d, n_bits), float32
        A: Gaussian, with the scale s as its standard deviation.
    offsets : ndarray of shape (n_bits,), float32
        w, uniform in [0, 2 pi).
    """

    kind: ClassVar[str] = "universal_code"
    shapes: ClassVar[Shapes] = {"directions": "d k", "offsets": "k"}

    directions: FloatArray
    offsets: FloatArray

    def pack(self, X: FloatArray) -> PackedBits:
        """Compute the codes, eight bits a byte.

        Parameters
        ----------
        X : ndarray of shape (n, d), float32 or float64
            Embeddings; only their direction counts.

        Returns
        -------
        ndarray of shape (n, ceil(n_bits / 8)), uint8
            The first bit is the highest of the first byte; 1 where the cosine is not negative.

        Raises
        ------
        InputError
            If `X` has another number of features, or is not of a floating-point type.
        """
        require_features(X, self.n_features_in)
        packed = np.empty((len(X), -(-self.n_features_out // 8)), dtype=np.uint8)
        in_row_blocks(self._write_packed, X, packed)
        return packed

    def _write_packed(self, X: FloatArray, packed: PackedBits) -> None:
        for block, half_turns in self._half_turns(X):
            odd = half_turns.astype(np.int32) & 1
            packed[block] = np.packbits(odd == 0, axis=1)

    def __call__(self, X: FloatArray) -> FloatArray:
        """Compute the codes as unit rows of +-1 / sqrt(n_bits), keeping the type of `X`.

        The cosine of two such rows is 1 - 2 h, with h the share of bits that differ.
        """
        require_features(X, self.n_features_in)
        out = np.empty((len(X), self.n_features_out), dtype=X.dtype)
        in_row_blocks(self._write_numbers, X, out)
        return out

    def _write_numbers(self, X: FloatArray, out: FloatArray) -> None:
        one = X.dtype.type(1 / np.sqrt(self.n_features_out))
        integer = np.dtype(f"i{X.dtype.itemsize}")
        for block, half_turns in self._half_turns(X):
            # The lowest bit of an integer becomes the sign bit of the number.
            bits = out[block].view(integer)
            np.copyto(bits, half_turns, casting="unsafe")
            bits <<= 8 * X.dtype.itemsize - 1
            bits |= one.view(integer)

    def _half_turns(self, X: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
        """Yield blocks of rows with floor(phase / pi + 1/2): even where the cosine is not negative.

        A cosine of each phase would cost more than the product that the phases come from.
        """
        directions = self.directions.astype(X.dtype, copy=False)
        offsets = (self.offsets.astype(np.float64) / np.pi + 0.5).astype(X.dtype)
        buffer = np.empty((min(len(X), _HALF_TURN_ROWS), self.n_features_out), dtype=X.dtype)
        for block in row_blocks(len(X), _HALF_TURN_ROWS):
            unit = X[block].copy()
            normalise_rows(unit)
            unit /= np.pi
            half_turns = np.matmul(unit, directions, out=buffer[: len(unit)])
            half_turns += offsets
            yield block, np.floor(half_turns, out=half_turns)

    @classmethod
    def _of(cls, arrays: Mapping[str, FloatArray]) -> UniversalCode:
        code = cls(**arrays)
        if 0 in code.directions.shape:
            raise InputError(f"universal_code: expected features and bits, found {code}")
        return code
