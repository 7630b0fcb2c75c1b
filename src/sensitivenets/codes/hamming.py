"""Hamming distances of packed codes: bits that differ, counted in blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings.rows import row_blocks
from sensitivenets.errors import InputError, require_int
from sensitivenets.maps.universal_code import PackedBits

Counts = npt.NDArray[np.int32]
IntArray = npt.NDArray[np.int64]

# Distances held at once: they and one word of each pair stay in the cache.
_BLOCK_PAIRS = 2**18


def hamming_distances(probes: PackedBits, gallery: PackedBits) -> Counts:
    """Compare each probe with each code of a gallery.

    Parameters
    ----------
    probes : ndarray of shape (m, n_bytes) or (n_bytes,), uint8
        Packed codes.
    gallery : ndarray of shape (n, n_bytes), uint8
        Packed codes.

    Returns
    -------
    ndarray of shape (m, n) or (n,), int32
        Bits that differ; lower is more alike.

    Raises
    ------
    InputError
        If the codes are not uint8, or of two lengths.
    """
    if probes.ndim == 1:
        one: Counts = hamming_distances(probes[None], gallery)[0]
        return one
    left, right = _words(probes, gallery)
    out = np.empty((len(left), len(right)), dtype=np.int32)
    for rows, columns in _blocks(len(left), len(right)):
        out[rows, columns] = _count(left[rows], right[columns])
    return out


def hamming_of_pairs(
    left: PackedBits, right: PackedBits, rows: npt.NDArray[Any], columns: npt.NDArray[Any]
) -> Counts:
    """Compare row ``rows[k]`` of `left` with row ``columns[k]`` of `right`.

    Parameters
    ----------
    left, right : ndarray of shape (m, n_bytes) and (n, n_bytes), uint8
        Packed codes.
    rows, columns : ndarray of shape (k,), integer
        Which to compare.

    Returns
    -------
    ndarray of shape (k,), int32
        Bits that differ; lower is more alike.

    Raises
    ------
    InputError
        If the codes do not fit, the lists differ in length, or name a code that is not there.
    """
    a, b = _words(left, right)
    if rows.shape != columns.shape or rows.ndim != 1:
        raise InputError(
            f"pairs: expected two lists of one length, found {rows.shape} and {columns.shape}"
        )
    for name, chosen, n in (("left", rows, len(a)), ("right", columns, len(b))):
        if len(chosen) and not 0 <= chosen.min() <= chosen.max() < n:
            raise InputError(f"pairs: expected {name} rows 0 to {n - 1}, found others")
    out = np.empty(len(rows), dtype=np.int32)
    step = max(1, _BLOCK_PAIRS // a.shape[1])
    for block in row_blocks(len(rows), step):
        different = np.bitwise_count(a[rows[block]] ^ b[columns[block]])
        out[block] = different.sum(axis=1, dtype=np.int32)
    return out


def nearest_codes(probes: PackedBits, gallery: PackedBits, k: int = 1) -> tuple[IntArray, Counts]:
    """Find the codes of a gallery that are nearest to each probe, by looking at all.

    Parameters
    ----------
    probes, gallery : ndarray of shape (m, n_bytes) and (n, n_bytes), uint8
        Packed codes.
    k : int, default=1
        How many to find; at most n.

    Returns
    -------
    rows : ndarray of shape (m, k), int64
        Rows of the gallery, the nearest first; of equally near ones the lower row.
    distances : ndarray of shape (m, k), int32
        Bits that differ.

    Raises
    ------
    InputError
        If the codes do not fit, or there are fewer than `k`.
    """
    require_int("k", k, minimum=1)
    left, right = _words(probes, gallery)
    if k > len(right):
        raise InputError(f"k: expected at most the {len(right)} codes of the gallery, found {k}")
    rows = np.empty((len(left), k), dtype=np.int64)
    distances = np.empty((len(left), k), dtype=np.int32)
    step = max(1, _BLOCK_PAIRS // len(right))
    for block in row_blocks(len(left), step):
        counts = _count(left[block], right).astype(np.int64)
        # Distance and row in one number, so that ties have an order.
        keys = counts * len(right) + np.arange(len(right))
        best = np.sort(np.partition(keys, k - 1, axis=1)[:, :k], axis=1)
        distances[block], rows[block] = np.divmod(best, len(right))
    return rows, distances


def _count(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> Counts:
    counts = np.zeros((len(left), len(right)), dtype=np.int32)
    # Word by word: nothing larger than the result is ever held.
    for word in range(left.shape[1]):
        counts += np.bitwise_count(left[:, word, None] ^ right[None, :, word])
    return counts


def _blocks(m: int, n: int) -> list[tuple[slice, slice]]:
    wide = min(max(n, 1), 2**13)
    high = max(1, _BLOCK_PAIRS // wide)
    return [(rows, columns) for rows in row_blocks(m, high) for columns in row_blocks(n, wide)]


def _words(left: PackedBits, right: PackedBits) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    for codes in (left, right):
        if codes.ndim != 2 or codes.dtype != np.uint8 or codes.shape[1] == 0:
            raise InputError(
                f"codes: expected packed bits, uint8 of shape (n, bytes), found {codes.dtype} of "
                f"shape {codes.shape}; pack them with UniversalCode.pack"
            )
    if left.shape[1] != right.shape[1]:
        raise InputError(
            f"codes: expected codes of one length, found {8 * left.shape[1]} and "
            f"{8 * right.shape[1]} bits; encode both with the same parameters"
        )
    width = next(w for w in (8, 4, 2, 1) if left.shape[1] % w == 0)
    word = np.dtype(f"u{width}")
    a, b = (np.ascontiguousarray(codes).view(word) for codes in (left, right))
    return a, b
