"""What the numbers of a table say beside their values: binary digits, signs of zero, grids, copies.

A label can ride on digits that no comparison of embeddings notices: the last bit of one feature, a
zero with a minus, rows that one class had rounded more coarsely, rows that are there twice.
Networks and maps put nothing there but rounding, so that whatever is read from it was left by the
way the table was made. `transform` writes rounded values, which have none of it.

Or it rides on a digit in the middle of a number, which is small beside the value and stays when the
last ones are rounded away: what `digit_words` lays open.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import FloatArray

#: Binary digits in each word of `digit_words`: as many as float32 holds without rounding.
DIGITS_A_WORD = 24

# More steps are no grid but rounding; values may be so many steps beside their place.
_MOST_STEPS = 2**20
_OFF_GRID = 0.1
# Digits of a number that somebody rounded, and the share of a feature's that no chance explains.
_DECIMAL_DIGITS = 5
_MANY_DECIMALS = 0.05

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
        mantissa and their mean, which numbers five decimal digits write exactly and the share of
        them, minus signs of zeros, and how often a row is there; without features that do not
        vary. There may be none.
    """
    stored = _as_stored(X)
    fine = np.array([_is_fine(column) for column in stored.T])
    features = np.hstack([
        _low_bits(stored[:, fine]),
        _short_decimals(stored),
        np.signbit(stored) & (stored == 0),
        # Of coarse values copies are no accident, and as good as values.
        _copies(stored)[:, None] if fine.mean() > 0.5 else np.empty((len(stored), 0)),
    ]).astype(np.float64)
    mean, deviation = features[:n_train].mean(axis=0), features[:n_train].std(axis=0)
    varies = deviation > 0
    return np.asarray((features[:, varies] - mean[varies]) / deviation[varies])


def digit_words(X: FloatArray) -> FloatArray:
    """Write the binary digits of each number as whole numbers: of its mantissa, of its step.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        The table as it was stored; float64 that holds float32 numbers is taken as float32.

    Returns
    -------
    ndarray of shape (n, w), float32
        Whole numbers below 2**24: of each feature its mantissas, in one word or three of float64,
        and how many equal steps its values are from zero, where they are on such a grid. What does
        not vary is left out. There may be none.
    """
    words = [word for feature in _as_stored(X).T for word in _words(np.ascontiguousarray(feature))]
    varying = [word.astype(np.float32) for word in words if np.any(word != word[0])]
    return np.stack(varying, axis=1) if varying else np.empty((len(X), 0), np.float32)


def _words(feature: FloatArray) -> Iterator[npt.NDArray[np.uint64]]:
    n_digits = int(np.finfo(feature.dtype).nmant)
    kind = np.uint32 if feature.dtype == np.float32 else np.uint64
    mantissas = feature.view(kind).astype(np.uint64) & np.uint64(2**n_digits - 1)
    for lowest in range(0, n_digits, DIGITS_A_WORD):
        yield (mantissas >> np.uint64(lowest)) & np.uint64(2**DIGITS_A_WORD - 1)
    steps = _steps(feature.astype(np.float64), float(np.finfo(feature.dtype).eps))
    if steps is not None:
        yield steps


def _steps(feature: npt.NDArray[np.float64], eps: float) -> npt.NDArray[np.uint64] | None:
    """Count equal steps from zero to each value, of whatever size: decimals, or quantised bytes.

    From the least value where zero is far or not on the grid. None if the values are on no grid,
    or two only: a code's bits say what they say.
    """
    values = np.unique(feature)
    if len(values) < 3:
        return None
    gaps = np.diff(values)
    step = gaps[gaps < 1.5 * gaps.min()].mean()
    largest = np.abs(values).max()
    if values[-1] - values[0] > _MOST_STEPS * step or 2 * eps * largest > _OFF_GRID * step:
        return None
    # The gaps are known to a rounding error, which as many steps would pile up: the further apart
    # two values, the better they tell the step, and the further the next that it can be counted to.
    offsets = np.sort(np.abs(values - values[len(values) // 2]))
    for far in offsets[np.searchsorted(offsets, 1.5 * step * 2.0 ** np.arange(20)) - 1]:
        if far > 0:
            step = far / np.round(far / step)
    first = values[0] / step
    from_zero = np.abs(first) < _MOST_STEPS and np.abs(first - np.round(first)) < _OFF_GRID
    origin = 0.0 if from_zero else values[0]
    places = (feature - origin) / step
    whole = np.round(places)
    if np.abs(places - whole).max() > _OFF_GRID:
        return None
    return np.asarray(np.abs(whole), dtype=np.uint64)


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


def _short_decimals(stored: FloatArray) -> npt.NDArray[np.float64]:
    """Which numbers were rounded to decimals and have a full mantissa; last, their share by row."""
    values = stored.astype(np.float64)
    exponents = np.floor(np.log10(np.abs(values), where=values != 0, out=np.zeros_like(values)))
    # Powers of ten have no rounding error below 10**22, and one of the two is 1.
    places = _DECIMAL_DIGITS - 1 - exponents
    up, down = (10.0 ** np.clip(side, 0, 300) for side in (places, -places))
    rounded = np.round(values * up / down) * down / up
    # A number of few binary digits has few decimal ones as well.
    mantissas, _ = np.frexp(values)
    full = np.ldexp(mantissas, int(np.finfo(stored.dtype).nmant) + 1 - _MOST_ZEROS) % 1 != 0
    short = (rounded.astype(stored.dtype) == stored) & full
    often = short.mean(axis=0) > _MANY_DECIMALS
    return np.hstack([short[:, often], short.mean(axis=1, keepdims=True)]).astype(np.float64)


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
