"""What a universal code is derived from, and its packed bits as numbers again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sensitivenets.codes.keys import CodeKey
from sensitivenets.codes.streams import normal_stream, uniform_stream
from sensitivenets.embeddings import FloatArray
from sensitivenets.errors import InputError, require_int, require_real
from sensitivenets.maps.universal_code import PackedBits, UniversalCode


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
        # Beyond, cosines of single precision are noise.
        require_real("scale", self.scale, above=0, maximum=1e4)
        if self.n_bits % 8:
            raise InputError(f"n_bits: expected a multiple of 8, found {self.n_bits}")


def code_of_key(key: CodeKey, parameters: CodeParameters) -> UniversalCode:
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
    return UniversalCode(
        (scale * directions).reshape(d, n_bits).astype(np.float32),
        (2 * np.pi * offsets).astype(np.float32),
    )


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
