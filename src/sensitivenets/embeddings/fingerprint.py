"""Which rows a method learned from: a hash of blocks of rows, on all cores."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from sensitivenets.embeddings.table import FloatArray

# Part of what the digest means: another number gives other digests.
_BLOCK_ROWS = 1024


class BlockHashes:
    """SHA-256 of each 1 024 rows, begun on other threads and ended on the caller's.

    One SHA-256 of all rows would take longer than a closed-form fit, and only one core. With a
    core for each thread of the pool and one for the caller, who learns before it helps, none
    waits for another.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        The last block has what remains of it.
    pool : ThreadPoolExecutor
        See `other_cores`.
    """

    def __init__(self, X: FloatArray, pool: ThreadPoolExecutor) -> None:
        X = np.ascontiguousarray(X)
        self._blocks = [X[start : start + _BLOCK_ROWS] for start in range(0, len(X), _BLOCK_ROWS)]
        self._begun = [pool.submit(_sha256, rows) for rows in self._blocks]

    def digests(self) -> list[bytes]:
        """Hash what no thread of the pool has begun, and return the digest of each block."""
        # From the end, where the pool comes last.
        found = [
            _sha256(rows) if begun.cancel() else begun.result()
            for rows, begun in zip(reversed(self._blocks), reversed(self._begun), strict=True)
        ]
        return found[::-1]


def other_cores() -> ThreadPoolExecutor:
    """Make a pool for all cores but the caller's."""
    return ThreadPoolExecutor(max(1, (os.cpu_count() or 1) - 1))


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

    def add(self, X: FloatArray, digests: Sequence[bytes]) -> Fingerprint:
        """Add the rows of a batch, with the digests of their blocks."""
        for digest in digests:
            self._digest = hashlib.sha256(self._digest + digest).digest()
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


def fingerprint(X: FloatArray) -> dict[str, Any]:
    """Identify a set of embeddings without keeping it.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Embeddings as they were given to a fit.

    Returns
    -------
    dict
        ``rows``, ``features`` and the ``sha256`` of the values in row order.
    """
    digest = hashlib.sha256(np.ascontiguousarray(X).data)
    return {"rows": X.shape[0], "features": X.shape[1], "sha256": digest.hexdigest()}
