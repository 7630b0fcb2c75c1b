"""Which table it was: one digest of its rows, however they were cut, hashed on all cores."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from sensitivenets.embeddings.arrays import FloatArray, squared_norms

# Part of what the digest means: another number gives other digests, and needs another name.
_BLOCK_ROWS = 1024
_ALGORITHM = "sha256-1024-v1"


@dataclass(frozen=True)
class Fingerprint:
    """Identifies the rows of a table, without keeping them.

    The digest is SHA-256 over the digest before, beginning with none, and the SHA-256 of the next
    block of 1 024 rows as little-endian float32, block after block; the last block has what
    remains. A batch may end anywhere: rows of a block that is not full wait for the next batch.

    Attributes
    ----------
    rows : int
        Rows so far.
    features : int
        Their features.
    chain : bytes
        Digest of all full blocks.
    rest : tuple of bytes
        The rows of the block that is not full, in the pieces they came in.
    shortest, longest : float
        Lengths of its rows.
    """

    rows: int = 0
    features: int = 0
    chain: bytes = b""
    rest: tuple[bytes, ...] = ()
    shortest: float = math.inf
    longest: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return ``rows``, ``features`` and ``digest``, which begins with its algorithm."""
        chain = self.chain
        if self.rest:
            chain = _linked(chain, _sha256(self.rest))
        return {
            "rows": self.rows,
            "features": self.features,
            "digest": f"{_ALGORITHM}:{chain.hex()}",
        }

    def to_record(self) -> dict[str, Any]:
        """Return what a model keeps of the rows it learned from: `to_dict`, and ``lengths``.

        The shortest and the longest row, to four digits: rows of another scale are other data.
        """
        lengths = [float(f"{length:.4g}") for length in (self.shortest, self.longest)]
        return self.to_dict() | {"lengths": lengths}

    def followed_by(self, stretch: StretchDigests) -> Fingerprint:
        """Return the fingerprint of these rows and a stretch that was hashed elsewhere.

        These rows must be full blocks: a multiple of 1 024.
        """
        assert not self.rest
        chain = self.chain
        for digest in stretch.blocks:
            chain = _linked(chain, digest)
        return Fingerprint(
            self.rows + stretch.rows,
            stretch.features,
            chain,
            stretch.rest,
            min(self.shortest, stretch.shortest),
            max(self.longest, stretch.longest),
        )


@dataclass(frozen=True)
class StretchDigests:
    """The blocks of a stretch of a table, hashed apart from the rows before it.

    Attributes
    ----------
    rows, features : int
        Size of the stretch.
    blocks : tuple of bytes
        Digest of each full block.
    rest : tuple of bytes
        The rows after them: only the last stretch of a table has any.
    shortest, longest : float
        Lengths of its rows.
    """

    rows: int = 0
    features: int = 0
    blocks: tuple[bytes, ...] = ()
    rest: tuple[bytes, ...] = ()
    shortest: float = math.inf
    longest: float = 0.0

    def followed_by(self, X: FloatArray) -> StretchDigests:
        """Return the digests of these rows and more; these must be full blocks."""
        assert not self.rest
        full = len(X) // _BLOCK_ROWS * _BLOCK_ROWS
        found = [_sha256((X[k : k + _BLOCK_ROWS],)) for k in range(0, full, _BLOCK_ROWS)]
        rest = (_canonical(X[full:]).tobytes(),) if full < len(X) else ()
        norms = np.sqrt(squared_norms(X))
        return StretchDigests(
            self.rows + len(X),
            X.shape[1],
            (*self.blocks, *found),
            rest,
            float(norms.min(initial=self.shortest)),
            float(norms.max(initial=self.longest)),
        )


class Hashing:
    """A batch that is being added to a fingerprint: begun on other threads, ended on the caller's.

    One SHA-256 of all rows would take longer than a closed-form fit, and only one core. With a
    core for each thread of the pool and one for the caller, who learns before it helps, none
    waits for another.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        The batch; not to be changed until `result`.
    pool : ThreadPoolExecutor
        See `other_cores`.
    before : Fingerprint, optional
        Of the rows before; it is not changed, so that a batch that is refused leaves no trace.
    """

    def __init__(
        self, X: FloatArray, pool: ThreadPoolExecutor, before: Fingerprint | None = None
    ) -> None:
        self._before = before = before or Fingerprint()
        self._X = X
        waiting = before.rows % _BLOCK_ROWS
        # Where the blocks end, as rows of this batch.
        ends = range(_BLOCK_ROWS - waiting, len(X) + 1, _BLOCK_ROWS)
        starts = [0, *ends]
        self._blocks: list[tuple[bytes | FloatArray, ...]] = [
            (X[start:end],) for start, end in zip(starts, ends, strict=False)
        ]
        self._n_rest = len(X) - starts[-1]
        rest = () if not self._n_rest else (_canonical(X[starts[-1] :]).tobytes(),)
        if self._blocks:
            self._blocks[0] = (*before.rest, *self._blocks[0])
            self._rest: tuple[bytes, ...] = rest
        else:
            self._rest = (*before.rest, *rest)
        self._begun: list[Future[_Hashed]] = [pool.submit(_hashed, one) for one in self._blocks]

    def result(self) -> Fingerprint:
        """Hash what no thread of the pool has begun, and return the fingerprint of all rows."""
        # From the end, where the pool comes last.
        found = [
            _hashed(block) if begun.cancel() else begun.result()
            for block, begun in zip(reversed(self._blocks), reversed(self._begun), strict=True)
        ]
        chain = self._before.chain
        for one in reversed(found):
            chain = _linked(chain, one.digest)
        tail = _lengths(self._X[len(self._X) - self._n_rest :])
        lengths = [tail, *(one.lengths for one in found)]
        return Fingerprint(
            self._before.rows + len(self._X),
            self._X.shape[1],
            chain,
            self._rest,
            min(self._before.shortest, *(shortest for shortest, _ in lengths)),
            max(self._before.longest, *(longest for _, longest in lengths)),
        )


def other_cores() -> ThreadPoolExecutor:
    """Make a pool for all cores but the caller's."""
    return ThreadPoolExecutor(max(1, (os.cpu_count() or 1) - 1))


def _linked(chain: bytes, digest: bytes) -> bytes:
    return hashlib.sha256(chain + digest).digest()


def _sha256(pieces: Sequence[bytes | FloatArray]) -> bytes:
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece if isinstance(piece, bytes) else _canonical(piece).data)
    return found.digest()


@dataclass(frozen=True)
class _Hashed:
    """A block's digest, and the shortest and the longest row of its last piece."""

    digest: bytes
    lengths: tuple[float, float]


def _hashed(pieces: Sequence[bytes | FloatArray]) -> _Hashed:
    # Measured here, where the rows are in the cache; bytes are rows of an earlier batch.
    last = pieces[-1]
    assert not isinstance(last, bytes)
    return _Hashed(_sha256(pieces), _lengths(last))


def _lengths(X: FloatArray) -> tuple[float, float]:
    norms = np.sqrt(squared_norms(X))
    return float(norms.min(initial=math.inf)), float(norms.max(initial=0.0))


def _canonical(rows: FloatArray) -> FloatArray:
    # Without a copy where rows are float32 already.
    return np.ascontiguousarray(rows, dtype="<f4")


def fingerprint(X: FloatArray) -> dict[str, Any]:
    """Identify a table of embeddings without keeping it.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Embeddings; float16 and float64 are taken as float32, as they are read.

    Returns
    -------
    dict
        ``rows``, ``features`` and ``digest``, which begins with its algorithm; the same that a
        model folder, an audit, a benchmark and a store of labels keep.

    Examples
    --------
    >>> import numpy as np
    >>> fingerprint(np.eye(2, dtype=np.float32))["digest"][:27]
    'sha256-1024-v1:746b26055a03'
    """
    return _whole(X).to_dict()


def table_record(X: FloatArray) -> dict[str, Any]:
    """Return what a model keeps of a table: its `fingerprint`, and ``lengths``, shortest, longest.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Embeddings.

    Returns
    -------
    dict
        See `Fingerprint.to_record`.
    """
    return _whole(X).to_record()


def _whole(X: FloatArray) -> Fingerprint:
    with other_cores() as pool:
        return Hashing(X, pool).result()


def is_among(table: Mapping[str, Any], recorded: Mapping[str, Any]) -> bool | None:
    """Say whether a table is one of those that a model was fitted on.

    Parameters
    ----------
    table : mapping
        Its `fingerprint`.
    recorded : mapping of str to mapping
        The ``fingerprint`` of a model: a record for each set of rows it learned from.

    Returns
    -------
    bool or None
        None where an earlier version recorded another digest, so that nobody can tell.
    """
    alike = [_alike(table, one) for one in recorded.values() if _is_record(one)]
    if True in alike:
        return True
    return None if None in alike or not alike else False


def _is_record(value: Any) -> bool:
    return isinstance(value, Mapping) and {"rows", "features"} <= set(value)


def _alike(table: Mapping[str, Any], recorded: Mapping[str, Any]) -> bool | None:
    if any(table[size] != recorded[size] for size in ("rows", "features")):
        return False
    if "digest" in recorded:
        return bool(table["digest"] == recorded["digest"])
    # The same chain, if no batch ended within a block.
    if table["digest"] == f"{_ALGORITHM}:{recorded.get('block_sha256')}":
        return True
    return None
