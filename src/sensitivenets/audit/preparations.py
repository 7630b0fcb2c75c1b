"""What an attacker does to embeddings before looking: nothing, l2, standardising, whitening.

A representation can look empty only because its signal is squeezed into a small corner, far below
its largest directions. So everything is done in float64, and a direction counts as empty only when
it is as small as the rounding of the stored numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from sensitivenets.audit.number_bits import digit_words, number_bits
from sensitivenets.embeddings import FloatArray, squared_norms
from sensitivenets.errors import InputError

RAW, L2, STANDARDISED, WHITENED, RESIDUE = "raw", "l2", "standardised", "whitened", "residue"
ALL_PREPARATIONS = (RAW, L2, STANDARDISED, WHITENED, RESIDUE)
#: What the numbers say beside their values, and all their digits (see `number_bits` and
#: `digit_words`); each for one attacker only.
BITS, DIGITS = "bits", "digits"

# A direction is empty if its deviation is below this many rounding errors of the stored numbers.
_EMPTY = 4.0
# Products of float32 matrices pile rounding up, in every direction: to 30 errors, measured for
# three layers of 2048 units. A few directions below this are suspicious, many are just that.
_PILED_UP = 64.0
_FEW_DIRECTIONS = 16
# Rows whose norms differ by less than this share are unit rows but for rounding.
_UNIT_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Prepared:
    """Training and test rows as one kind of attacker sees them.

    Attributes
    ----------
    name : str
        ``"raw"``, ``"l2"``, ``"standardised"``, ``"whitened"``, or ``"residue"``: whitened, but
        only the many tiny directions that piled-up rounding fills, where a label could hide; or
        ``"bits"``: low bits, signs of zero, grids and copies; or ``"digits"``: all binary digits,
        a few to a word.
    coordinates : ndarray of shape (n, d), float32
        The features one by one, for attackers that look at single coordinates (trees).
    rotated : ndarray of shape (n, r), float32
        The same rows in a basis of the r directions that are not empty: distances and inner
        products are the same, for attackers that a rotation does not touch (kernels, neighbours).
    """

    name: str
    coordinates: FloatArray
    rotated: FloatArray


@dataclass(frozen=True)
class Preparations:
    """All preparations of one table.

    Attributes
    ----------
    by_name : dict of str to Prepared
        Without those that equal another one, and empty for a constant table.
    rank : int
        Directions of the centred training rows above rounding, the norm not counted.
    n_features, n_varying : int
        Features of the table, and those of them that are not constant: the first columns of the
        standardised coordinates, before the norm.
    unit_rows : bool
        Whether all rows have one norm, so that raw and l2 are the same.
    notes : tuple of str
        What is peculiar: constant, rank-deficient, constant features, unit rows.
    """

    by_name: dict[str, Prepared]
    rank: int
    n_features: int
    n_varying: int
    unit_rows: bool
    notes: tuple[str, ...]


def prepare(X: FloatArray, n_train: int, *, names: tuple[str, ...] | None = None) -> Preparations:
    """Prepare a table in every way; scales and directions are learned from the training rows.

    The norm of the rows, in float64, is a feature of its own when standardising and whitening:
    it is no linear function of the others, and even the last digit of a unit norm can tell.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Training rows first, then test rows.
    n_train : int
        How many rows train.
    names : tuple of str, optional
        Only these preparations.

    Returns
    -------
    Preparations
        See there.

    Raises
    ------
    InputError
        If there are fewer than two training rows.
    """
    if n_train < 2:
        raise InputError(f"audit: expected at least two training rows, found {n_train}")
    rows = np.asarray(X, dtype=np.float64)
    norms = np.sqrt(squared_norms(rows))
    standard = _standardise(rows, rounding_of(X), n_train)
    white = _whiten(standard, n_train)
    rank, unit = white.scores.shape[1], _is_unit(norms[:n_train])
    notes = _notes(X.shape[1], standard, rank, unit)
    n_varying = standard.values.shape[1]
    prepared = {}
    if BITS in (names or ()) and (bits := _float32(number_bits(X, n_train))).shape[1]:
        prepared[BITS] = Prepared(BITS, bits, bits)
    if DIGITS in (names or ()) and (words := digit_words(X)).shape[1]:
        prepared[DIGITS] = Prepared(DIGITS, words, words)
    if rank == 0:
        return Preparations(prepared, 0, X.shape[1], n_varying, unit, notes)
    for name in names or ALL_PREPARATIONS:
        if name in {BITS, DIGITS}:
            continue
        if name in {RAW, L2}:
            if name == L2 and unit and RAW in prepared:
                continue
            scaled = rows / norms[:, None] if name == L2 else rows
            prepared[name] = _as_they_come(name, scaled, n_train)
        elif name == STANDARDISED:
            prepared[name] = _standardised(standard, white, norms, n_train)
        elif name == WHITENED:
            prepared[name] = _whitened(white, norms, n_train)
        elif white.residue.shape[1]:
            prepared[name] = Prepared(name, _float32(white.residue), _float32(white.residue))
    return Preparations(prepared, rank, X.shape[1], n_varying, unit, notes)


@dataclass(frozen=True)
class PCAWhitening:
    """Whitening learned from some rows, for any others: uncorrelated features of unit variance.

    Attributes
    ----------
    mean : ndarray of shape (d,)
        Of the rows it was learned from.
    matrix : ndarray of shape (d, r)
        To the r directions that are not empty.
    """

    mean: FloatArray
    matrix: FloatArray

    @classmethod
    def fit(cls, X: FloatArray) -> PCAWhitening:
        """Learn from rows of shape (n, d), in float64."""
        standard = _standardise(np.asarray(X, dtype=np.float64), rounding_of(X), len(X))
        white = _whiten(standard, len(X))
        varies = standard.inverse_scale > 0
        matrix = np.zeros((X.shape[1], len(white.deviations)))
        matrix[varies] = white.directions / white.deviations
        return cls(standard.mean, standard.inverse_scale[:, None] * matrix)

    def __call__(self, X: FloatArray) -> FloatArray:
        """Whiten rows of shape (n, d) to (n, r), float32."""
        return _float32((X - self.mean) @ self.matrix)


def rounding_of(X: FloatArray) -> float:
    """Relative rounding error of the numbers as they were stored: of float16, float32 or float64.

    A float64 array that holds float32 numbers is taken as float32.
    """
    for kind in (np.float16, np.float32):
        with np.errstate(over="ignore"):
            if np.array_equal(X.astype(kind).astype(X.dtype), X):
                return float(np.finfo(kind).eps)
    return float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class _Standard:
    """Standardised features that vary, their scales, and the deviation of their rounding errors."""

    values: FloatArray
    rounding: FloatArray
    n_constant: int
    mean: FloatArray
    inverse_scale: FloatArray


@dataclass(frozen=True)
class _White:
    """Standardised features along their principal directions that are not empty."""

    scores: FloatArray
    deviations: FloatArray
    residue: FloatArray
    directions: FloatArray


def _standardise(rows: FloatArray, eps: float, n_train: int) -> _Standard:
    train = rows[:n_train]
    mean = train.mean(axis=0)
    deviation = np.sqrt(np.mean((train - mean) ** 2, axis=0))
    # Uniform rounding within one unit in the last place.
    error = eps * np.sqrt(np.mean(train**2, axis=0)) / np.sqrt(12)
    varies = deviation > _EMPTY * error
    values = (rows[:, varies] - mean[varies]) / deviation[varies]
    inverse_scale = np.where(varies, 1 / np.where(varies, deviation, 1), 0)
    return _Standard(
        values, error[varies] / deviation[varies], int(np.sum(~varies)), mean, inverse_scale
    )


def _whiten(standard: _Standard, n_train: int) -> _White:
    values = standard.values
    if values.shape[1] == 0:
        return _White(values, np.empty(0), values, values[:0])
    directions, deviations = _principal_directions(values[:n_train])
    rounding = np.sqrt((standard.rounding**2) @ directions**2)
    filled = deviations > _EMPTY * rounding
    tiny = filled & (deviations <= _PILED_UP * rounding)
    if tiny.sum() <= _FEW_DIRECTIONS:
        tiny[:] = False
    keep = filled & ~tiny
    residue = values @ (directions[:, tiny] / deviations[tiny])
    kept = directions[:, keep]
    return _White(values @ kept, deviations[keep], residue, kept)


def _principal_directions(train: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Directions (columns) and deviations; singular values keep what a Gram would lose."""
    triangle = scipy.linalg.qr(train, mode="r", check_finite=False)[0][: train.shape[1]]
    _, singular, rows = np.linalg.svd(triangle, full_matrices=False)
    return rows.T, singular / np.sqrt(len(train))


def _as_they_come(name: str, rows: FloatArray, n_train: int) -> Prepared:
    """One common factor and a rotation: neither moves one row closer to another than it was."""
    scale = np.sqrt(np.mean((rows[:n_train] - rows[:n_train].mean(axis=0)) ** 2))
    scaled = rows / max(scale, np.finfo(np.float32).tiny)
    directions, deviations = _principal_directions(scaled[:n_train])
    eps = np.finfo(np.float32).eps
    keep = deviations > eps * deviations[0]
    worthwhile = keep.sum() < 0.9 * rows.shape[1]
    rotated = scaled @ directions[:, keep] if worthwhile else scaled
    return Prepared(name, _float32(scaled), _float32(rotated))


def _standardised(standard: _Standard, white: _White, norms: FloatArray, n_train: int) -> Prepared:
    norm = _norm_feature(norms, n_train)
    coordinates = np.hstack([standard.values, norm])
    full = white.scores.shape[1] == standard.values.shape[1]
    rotated = coordinates if full else np.hstack([white.scores, norm])
    return Prepared(STANDARDISED, _float32(coordinates), _float32(rotated))


def _whitened(white: _White, norms: FloatArray, n_train: int) -> Prepared:
    scores = np.hstack([white.scores / white.deviations, _norm_feature(norms, n_train)])
    return Prepared(WHITENED, _float32(scores), _float32(scores))


def _norm_feature(norms: FloatArray, n_train: int) -> FloatArray:
    """Standardised norm, shape (n, 1), or (n, 0) if it is constant to the last bit of float64."""
    train = norms[:n_train]
    deviation = train.std()
    if deviation <= 4 * np.finfo(np.float64).eps * train.mean():
        return np.empty((len(norms), 0))
    return np.asarray((norms - train.mean()) / deviation)[:, None]


def _float32(values: FloatArray) -> FloatArray:
    # Test rows far outside the training range must not overflow.
    limit = np.finfo(np.float32).max
    return np.asarray(np.clip(values, -limit, limit), dtype=np.float32)


def _is_unit(norms: FloatArray) -> bool:
    return bool(np.ptp(norms) <= _UNIT_TOLERANCE * norms.mean())


def _notes(n_features: int, standard: _Standard, rank: int, unit: bool) -> tuple[str, ...]:
    if rank == 0:
        return ("constant: all training rows are equal up to rounding",)
    notes = []
    if standard.n_constant:
        notes.append(f"{standard.n_constant} of {n_features} features are constant")
    n_varying = n_features - standard.n_constant
    if rank < n_varying:
        notes.append(f"rank-deficient: {rank} directions in {n_varying} features")
    if unit:
        notes.append("unit rows: raw and l2 are the same, l2 left out")
    return tuple(notes)
