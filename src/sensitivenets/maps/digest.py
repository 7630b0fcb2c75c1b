"""Which weights they are: one digest of all arrays of a map."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np

from sensitivenets.embeddings import FloatArray


def weights_digest(arrays: Mapping[str, FloatArray]) -> str:
    """Return the SHA-256 over names, types, shapes and values: it tells models apart."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(json.dumps([name, str(array.dtype), array.shape]).encode())
        # As bytes: types that other libraries add to numpy have no buffer.
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
