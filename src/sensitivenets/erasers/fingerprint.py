"""Which rows a method learned from: a hash of blocks of rows, on all cores."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from sensitivenets.embeddings import FloatArray

# Part of what the digest means: another number gives other digests.
_BLOCK_ROWS = 1024


def hash_blocks(X: FloatArray, pool: ThreadPoolExecutor) -> list[Future[bytes]]:
    """Begin to hash each 1 024 rows of `X`, the last block with what remains.

    One SHA-256 of all rows would take longer than a closed-form fit, and only one core.
    """
    X = np.ascontiguousarray(X)
    return [
        pool.submit(_sha256, X[start : start + _BLOCK_ROWS])
        for start in range(0, len(X), _BLOCK_ROWS)
    ]


def _sha256(rows: FloatArray) -> bytes:
    return hashlib.sha256(rows.data).digest()


class Fingerprint:
    """Identifies the rows of a fit, without keeping them.

    The digest is SHA-256 over the digest before, beginning with none, and the SHA-256 of the next
    block of 1 024 rows, block after block. A batch that ends within a block ends the block: rows
    in batches of a multiple of 1 024 have the digest of the same rows at once.
    """

    def __init__(self) -> None:
        self.rows = self.features = self.batches = 0
        self._digest = b""

    def add(self, X: FloatArray, blocks: Sequence[Future[bytes]]) -> Fingerprint:
        """Add the rows of a batch, with what `hash_blocks` made of them."""
        for block in blocks:
            self._digest = hashlib.sha256(self._digest + block.result()).digest()
        self.rows += X.shape[0]
        self.features = X.shape[1]
        self.batches += 1
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return ``rows``, ``features`` and ``block_sha256``, the digest of all blocks."""
        return {
            "rows": self.rows,
            "features": self.features,
            "block_sha256": self._digest.hex(),
        }
