"""Random numbers that are the same for ever: what a key means must not change with a library.

numpy may change the streams of its generators between versions, and they are no ciphers: from
enough of their output the rest follows. Here, the bytes come from SHAKE-256 (FIPS 202) and become
numbers by formulas that fit on a line.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Float64Array = npt.NDArray[np.float64]


def uniform_stream(seed: bytes, n: int) -> Float64Array:
    """Draw numbers that are uniform between 0 and 1, neither included.

    Parameters
    ----------
    seed : bytes
        Decides everything.
    n : int
        How many; the first of a longer stream are those of a shorter one.

    Returns
    -------
    ndarray of shape (n,), float64
        (k + 1/2) / 2^52, with k the upper 52 bits of each eight bytes of SHAKE-256, which are
        read with the lowest byte first.
    """
    words = np.frombuffer(hashlib.shake_256(seed).digest(8 * n), dtype="<u8")
    return ((words >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def normal_stream(seed: bytes, n: int) -> Float64Array:
    """Draw standard normal numbers: the normal quantiles of `uniform_stream`."""
    return np.asarray(ndtri(uniform_stream(seed, n)), dtype=np.float64)
