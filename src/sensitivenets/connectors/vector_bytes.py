"""Vectors as pgvector sends and receives them: two numbers of 16 bits, then big-endian floats.

The first number says how many features there are, the second is not used.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_HEADER_BYTES = 4


def lists_of(values: Sequence[bytes | None]) -> pa.ListArray:
    """Turn vectors as they were received into lists of float32; null stays null."""
    bodies = [b"" if value is None else value[_HEADER_BYTES:] for value in values]
    floats = np.frombuffer(b"".join(bodies), dtype=">f4").astype(np.float32)
    offsets = np.zeros(len(bodies) + 1, dtype=np.int32)
    np.cumsum([len(body) // 4 for body in bodies], out=offsets[1:])
    missing = pa.array([value is None for value in values], pa.bool_())
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(floats), mask=missing)


def array_of_vectors(vectors: npt.NDArray[np.float32], vector_type: int) -> bytes:
    """Turn a matrix into the binary form of a ``vector[]``.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
        One vector a row; n > 0.
    vector_type : int
        What the database calls the type ``vector``: its oid.

    Returns
    -------
    bytes
        One dimension, no nulls, the type, n elements counted from 1; then, for each, its length in
        bytes and the vector.
    """
    n_rows, width = vectors.shape
    element = np.dtype([("bytes", ">i4"), ("width", ">i2"), ("", ">i2"), ("values", ">f4", width)])
    elements = np.zeros(n_rows, dtype=element)
    elements["bytes"] = element.itemsize - 4
    elements["width"] = width
    elements["values"] = vectors
    return np.array([1, 0, vector_type, n_rows, 1], dtype=">i4").tobytes() + elements.tobytes()
