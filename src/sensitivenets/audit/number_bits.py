"""What the numbers of a table say beside their values: low bits, signs of zero, grids and copies.

A label can ride on digits that no comparison of embeddings notices: the last bit of one feature, a
zero with a minus, rows that one class had rounded more coarsely, rows that are there twice.
Networks and maps put nothing there but rounding, so that whatever is read from it was left by the
way the table was made. `transform` writes rounded values, which have none of it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import FloatArray

# The lowest bits that vary at all, and the zeros that a coarser grid leaves there.
_LOW_BITS = 2
_MOST_ZEROS = 8
# Digits that a number must have for the last one to be rounding, and not what it says.
_FINE_BITS = 8
_SEED = [0x6469, 0x6769, 0x7473]


def number_bits(X: FloatArray, n_train: int) -> FloatArray:
    """Turn a table into features of its digits, standardised by the training rows.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        The table as it was stored; float64 that holds float32 numbers is taken as float32.
    n_train : int
        The first so many rows train.

    Returns
    -------
    ndarray of shape (n, f)
        The two lowest bits of each feature that vary in the table, zeros at the end of each
        mantissa and their mean, minus signs of zeros, and how often a row is there; without
        features that do not vary. There may be none.
    """
    stored = _as_stored(X)
    fine = np.array([_is_fine(column) for column in stored.T])
    features = np.hstack([
        _low_bits(stored[:, fine]),
        np.signbit(stored) & (stored == 0),
        # Of coarse values copies are no accident, and as good as values.
        _copies(stored)[:, None] if fine.mean() > 0.5 else np.empty((len(stored), 0)),
    ]).astype(np.float64)
    mean, deviation = features[:n_train].mean(axis=0), features[:n_train].std(axis=0)
    varies = deviation > 0
    return np.asarray((features[:, varies] - mean[varies]) / deviation[varies])


def _as_stored(X: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        narrow = X.astype(np.float32)
    return np.ascontiguousarray(narrow if np.array_equal(narrow, X) else X.astype(np.float64))


def _low_bits(stored: FloatArray) -> npt.NDArray[np.float64]:
    """Low bits and trailing zeros of features whose lowest bit is rounding, not value."""
    if not stored.any():
        return np.empty((len(stored), 0))
    words, mantissa = _digits(stored)
    varying = np.bitwise_or.reduce((words ^ words[:1]).ravel())
    lowest = (int(varying) & -int(varying)).bit_length() - 1
    if lowest < 0 or mantissa - lowest < _FINE_BITS:
        return np.empty((len(stored), 0))
    shifted = words >> np.uint64(lowest)
    digits = [((shifted >> np.uint64(k)) & np.uint64(1)).astype(bool) for k in range(_MOST_ZEROS)]
    zeros = np.sum(np.cumsum(digits, axis=0) == 0, axis=0)
    each = _filled_in(np.stack([*digits[:_LOW_BITS], zeros]), stored == 0)
    return np.hstack([*each, each[-1].mean(axis=1, keepdims=True)])


def _filled_in(
    digits: npt.NDArray[np.int64], unknown: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Give what has no digits those of any other row: how often it is zero, others see."""
    # Not a seed that a table may have been drawn with: the digits would follow its labels.
    rng = np.random.default_rng(_SEED)
    rows = np.tile(np.arange(len(unknown))[:, None], unknown.shape[1])
    for feature, without in zip(rows.T, unknown.T, strict=True):
        if without.any() and not without.all():
            feature[without] = rng.choice(feature[~without], without.sum())
    return np.asarray(np.take_along_axis(digits, rows[None], axis=1))


def _is_fine(column: FloatArray) -> bool:
    """Whether a feature takes so many values that its last bit is no part of what it says."""
    return bool(len(np.unique(column)) > min(2**_FINE_BITS, len(column) // 2))


def _digits(stored: FloatArray) -> tuple[npt.NDArray[np.uint64], int]:
    """Binary digits as integers and how many there are: of the mantissa, or on a fixed grid."""
    kind = np.uint32 if stored.dtype == np.float32 else np.uint64
    n_digits = int(np.finfo(stored.dtype).nmant)
    mantissas, exponents = np.frexp(stored)
    whole = np.abs(mantissas.astype(np.float64) * 2.0 ** (n_digits + 1)).astype(np.uint64)
    lowest = np.log2(np.maximum(whole & (~whole + np.uint64(1)), 1))
    grid = np.min((exponents + lowest)[whole > 0], initial=np.inf)
    most = np.max(exponents[whole > 0], initial=0) + n_digits + 1 - grid
    if most <= n_digits:
        # On a grid of equal steps small numbers end in more zeros only because they are small.
        steps = whole.astype(np.float64) * 2.0 ** (exponents - grid)
        return steps.astype(np.uint64), int(most)
    return stored.view(kind).astype(np.uint64), n_digits


def _copies(stored: FloatArray) -> npt.NDArray[np.float64]:
    keys = stored.view(np.dtype((np.void, stored.shape[1] * stored.itemsize)))[:, 0]
    _, index, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return np.log(counts[index])
