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

from sensitivenets.codes.keys import CodeKey
from sensitivenets.codes.streams import normal_stream, uniform_stream
from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import in_row_blocks, normalise_rows, row_blocks
from sensitivenets.errors import InputError, require_int, require_real
from sensitivenets.maps.base import require_features, require_names, shapes

PackedBits = npt.NDArray[np.uint8]

# Rows whose half turns are held at once: few enough that they stay in the cache.
_HALF_TURN_ROWS = 256


@dataclass(frozen=True)
class CodeParameters:
    """What two codes must share, beside the key, to be comparable.

    Attributes
    ----------
    n_features : int
        Features of an embedding.
    n_bits : int, default=1024
        Bits of a code, a multiple of 8. More bits tell subjects apart better, and tell more.
    scale : float, default=1.5
        s: how fast distances flatten; embeddings further apart than about 2 / s all look equally
        far. A larger scale tells less. See `template_protection.choose_scale`.
    """

    n_features: int
    n_bits: int = 1024
    scale: float = 1.5

    def __post_init__(self) -> None:
        require_int("n_features", self.n_features, minimum=1)
        require_int("n_bits", self.n_bits, minimum=8)
        require_real("scale", self.scale, above=0)
        if self.n_bits % 8:
            raise InputError(f"n_bits: expected a multiple of 8, found {self.n_bits}")


@dataclass(frozen=True)
class UniversalCode:
    """x -> sign(cos(A^T x / |x| + w)), as packed bits or as numbers.

    Attributes
    ----------
    directions : ndarray of shape (d, n_bits), float32
        A: Gaussian, with the scale s as its standard deviation.
    offsets : ndarray of shape (n_bits,), float32
        w, uniform in [0, 2 pi).
    """

    kind: ClassVar[str] = "universal_code"

    directions: FloatArray
    offsets: FloatArray

    @classmethod
    def of_key(cls, key: CodeKey, parameters: CodeParameters) -> UniversalCode:
        """Derive the code of a key.

        The numbers are those of `streams`, seeded by HMAC-SHA-256 of the key over the parameters:
        one key with other parameters gives directions that have nothing to do with these.

        Parameters
        ----------
        key : CodeKey
            Secret for a keyed code; `CodeKey.from_seed` for a public one.
        parameters : CodeParameters
            Sizes and scale.

        Returns
        -------
        UniversalCode
            As secret as the key: with it, codes can be undone.
        """
        d, n_bits, scale = parameters.n_features, parameters.n_bits, float(parameters.scale)
        about = f"universal code 1: {d} features, {n_bits} bits, scale {scale.hex()}"
        directions = normal_stream(key.derive(f"{about}: directions"), d * n_bits)
        offsets = uniform_stream(key.derive(f"{about}: offsets"), n_bits)
        return cls(
            (scale * directions).reshape(d, n_bits).astype(np.float32),
            (2 * np.pi * offsets).astype(np.float32),
        )

    @property
    def n_features_in(self) -> int:
        """Features of an input embedding."""
        return int(self.directions.shape[0])

    @property
    def n_features_out(self) -> int:
        """Numbers, or bits, of a code."""
        return int(self.directions.shape[1])

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

    def arrays(self) -> dict[str, FloatArray]:
        """Return the arrays to save, by name; a model folder with them makes the code public."""
        return {"directions": self.directions, "offsets": self.offsets}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, FloatArray]) -> UniversalCode:
        """Rebuild from what `arrays` returned.

        Raises
        ------
        InputError
            If a name is missing or unknown, or a shape does not fit.
        """
        require_names(arrays, {"directions", "offsets"})
        directions, offsets = arrays["directions"], arrays["offsets"]
        if directions.ndim != 2 or 0 in directions.shape or offsets.shape != directions.shape[1:]:
            raise InputError(f"expected directions (d, b) and offsets (b,), found {shapes(arrays)}")
        return cls(directions, offsets)


def unpack(packed: PackedBits, n_bits: int) -> FloatArray:
    """Turn packed codes into unit rows of +-1 / sqrt(n_bits), float32.

    Parameters
    ----------
    packed : ndarray of shape (n, ceil(n_bits / 8)), uint8
        As `UniversalCode.pack` gives them.
    n_bits : int
        Bits of a code.

    Returns
    -------
    ndarray of shape (n, n_bits), float32
        The cosine of two rows is 1 - 2 h, with h the share of bits that differ.
    """
    one = np.float32(1 / np.sqrt(n_bits))
    # A table of the eight numbers of each byte: one look-up instead of bits, then numbers.
    bytes_as_numbers = np.where(
        np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1), one, -one
    )
    return np.asarray(bytes_as_numbers[packed].reshape(len(packed), -1)[:, :n_bits])
