"""What an attacker does to embeddings before looking: nothing, l2, standardising, whitening.

A representation can look empty only because its signal is squeezed into a small corner, far below
its largest directions. So everything is done in float64, and a direction counts as empty only when
it is as small as the rounding of the stored numbers. Or because one row is broken: beside a value
of 1e9 all others look alike, and one row that was not squeezed hides the corner. So scales are
learned without the rows that lie far out, and these are drawn in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.linalg

from sensitivenets.audit.number_bits import digit_words, number_bits
from sensitivenets.embeddings import FloatArray, squared_norms
from sensitivenets.embeddings.rows import FAR_OUT, Reach, near_rows, rounding_of, some_rows
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
# Rows far out hide others that are not as far out, and so on.
_ROUNDS = 5
# Steps to the densest half of so many rows at least; rows for each feature, below which half of
# them leave directions empty; features up to which that takes seconds.
_STEPS = 12
_DENSEST_ROWS = 4096
_ROWS_A_FEATURE = 4
_MOST_FEATURES = 512
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
        What is peculiar: constant, rank-deficient, constant features, unit rows, broken rows.
    reasons : tuple of str
        Why no figure read from them can be trusted: most rows lie far from the others.
    """

    by_name: dict[str, Prepared]
    rank: int
    n_features: int
    n_varying: int
    unit_rows: bool
    notes: tuple[str, ...]
    reasons: tuple[str, ...] = ()


def prepare(X: FloatArray, n_train: int, *, names: tuple[str, ...] | None = None) -> Preparations:
    """Prepare a table in every way; scales and directions are learned from the training rows.

    The norm of the rows, in float64, is a feature of its own when standardising and whitening:
    it is no linear function of the others, and even the last digit of a unit norm can tell.
    Scales are learned without the training rows that lie far out, if they are fewer than half,
    and their values are drawn in; others stay what they are.

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
    eps = rounding_of(X)
    learnt = _learn(rows, eps, n_train)
    standard, white = learnt.standard, learnt.white
    rank, unit = white.scores.shape[1], _is_unit(norms[:n_train])
    notes = (*_notes(X.shape[1], standard, rank, unit), *_far_rows(learnt.near))
    reasons = _hidden(learnt)
    n_varying = standard.values.shape[1]
    prepared = {}
    if BITS in (names or ()) and (bits := _float32(number_bits(X, n_train))).shape[1]:
        prepared[BITS] = Prepared(BITS, bits, bits)
    if DIGITS in (names or ()) and (words := digit_words(X)).shape[1]:
        prepared[DIGITS] = Prepared(DIGITS, words, words)
    if rank == 0:
        return Preparations(prepared, 0, X.shape[1], n_varying, unit, notes, reasons)
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
            prepared[name] = _whitened(learnt, norms, n_train)
        elif white.residue.shape[1]:
            residue = _float32(Reach.of(white.residue[:n_train], eps).drawn_in(white.residue))
            prepared[name] = Prepared(name, residue, residue)
    return Preparations(prepared, rank, X.shape[1], n_varying, unit, notes, reasons)


@dataclass(frozen=True)
class PCAWhitening:
    """Whitening learned from some rows, for any others: uncorrelated features of unit variance.

    Attributes
    ----------
    mean : ndarray of shape (d,)
        Of the rows it was learned from.
    matrix : ndarray of shape (d, r)
        To the r directions that are not empty.
    reach, white_reach : Reach
        Beyond which values are drawn in: features, and whitened ones.
    """

    mean: FloatArray
    matrix: FloatArray
    reach: Reach
    white_reach: Reach

    @classmethod
    def fit(cls, X: FloatArray) -> PCAWhitening:
        """Learn from rows of shape (n, d), in float64."""
        learnt = _learn(np.asarray(X, dtype=np.float64), rounding_of(X), len(X))
        standard, white = learnt.standard, learnt.white
        varies = standard.inverse_scale > 0
        matrix = np.zeros((X.shape[1], len(white.deviations)))
        matrix[varies] = white.directions / white.deviations
        scaled = standard.inverse_scale[:, None] * matrix
        return cls(standard.mean, scaled, learnt.reach, learnt.white_reach)

    def __call__(self, X: FloatArray) -> FloatArray:
        """Whiten rows of shape (n, d) to (n, r), float32."""
        white = (self.reach.drawn_in(X) - self.mean) @ self.matrix
        return _float32(self.white_reach.drawn_in(white))


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
    rounding: FloatArray
    residue: FloatArray
    directions: FloatArray


@dataclass(frozen=True)
class _Learnt:
    """Rows standardised and whitened, which training rows that was learned from, and reaches."""

    standard: _Standard
    white: _White
    near: npt.NDArray[np.bool_]
    reach: Reach
    white_reach: Reach
    most_are_far: bool = False


def _learn(rows: FloatArray, eps: float, n_train: int) -> _Learnt:
    """Learn scales and directions from the training rows that are not far from the others."""
    reach = Reach.of(rows[:n_train], eps)
    drawn = reach.drawn_in(rows)
    near = ~np.any(reach.is_far(rows[:n_train]), axis=1)
    if 2 * near.sum() > n_train and rows.shape[1] <= _MOST_FEATURES:
        near &= _is_near_the_densest(drawn[:n_train], eps, near)
    for _ in range(_ROUNDS):
        if 2 * near.sum() <= n_train:
            everything = np.ones_like(near)
            return replace(_learn_from(drawn, eps, everything, reach), most_are_far=True)
        learnt = _learn_from(drawn, eps, near, reach)
        far = learnt.white_reach.is_far(learnt.white.scores[:n_train] / learnt.white.deviations)
        nearer = near & ~np.any(far, axis=1)
        if np.array_equal(nearer, near):
            break
        near = nearer
    return learnt


def _is_near_the_densest(
    rows: FloatArray, eps: float, near: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Which rows are not out of all proportion from half of them, by whitened distances.

    The half with the least distances, again and again (the concentration steps of Rousseeuw and
    Van Driessen, Technometrics 1999), is without the rows that reach where no others do: a single
    one, or one in five, seen from all rows is hardly further away than the others.
    """
    least = _ROWS_A_FEATURE * rows.shape[1]
    drawn = np.flatnonzero(near)
    drawn = drawn[some_rows(len(drawn), max(_DENSEST_ROWS, least))]
    if len(drawn) < least:
        return near
    some, half = rows[drawn], np.ones(len(drawn), dtype=np.bool_)
    for _ in range(_STEPS):
        distances = _distances(some, eps, half)
        half = distances <= np.median(distances)
    learning = np.zeros(len(rows), dtype=np.bool_)
    learning[drawn[half]] = True
    distances = _distances(rows, eps, learning)
    return np.asarray(distances <= FAR_OUT**2 * np.median(distances))


def _distances(
    rows: FloatArray, eps: float, learning: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Squared distances from the mean of some of the rows, whitened by these."""
    standard = _standardise(rows, eps, rows[learning])
    white = _whiten(standard, standard.values[learning])
    return np.asarray(np.sum((white.scores / white.deviations) ** 2, axis=1))


def _learn_from(rows: FloatArray, eps: float, near: npt.NDArray[np.bool_], reach: Reach) -> _Learnt:
    train = rows[: len(near)]
    standard = _standardise(rows, eps, train if near.all() else train[near])
    values = standard.values[: len(near)]
    white = _whiten(standard, values if near.all() else values[near])
    scores = white.scores[: len(near)][near] / white.deviations
    white_reach = Reach.of(scores, 0.0, white.rounding / white.deviations)
    return _Learnt(standard, white, near, reach, white_reach)


def _standardise(rows: FloatArray, eps: float, train: FloatArray) -> _Standard:
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


def _whiten(standard: _Standard, train: FloatArray) -> _White:
    values = standard.values
    if values.shape[1] == 0:
        return _White(values, np.empty(0), np.empty(0), values, values[:0])
    directions, deviations = _principal_directions(train)
    rounding = np.sqrt((standard.rounding**2) @ directions**2)
    filled = deviations > _EMPTY * rounding
    tiny = filled & (deviations <= _PILED_UP * rounding)
    if tiny.sum() <= _FEW_DIRECTIONS:
        tiny[:] = False
    keep = filled & ~tiny
    residue = values @ (directions[:, tiny] / deviations[tiny])
    kept = directions[:, keep]
    return _White(values @ kept, deviations[keep], rounding[keep], residue, kept)


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


def _whitened(learnt: _Learnt, norms: FloatArray, n_train: int) -> Prepared:
    white = learnt.white_reach.drawn_in(learnt.white.scores / learnt.white.deviations)
    scores = np.hstack([white, _norm_feature(norms, n_train)])
    return Prepared(WHITENED, _float32(scores), _float32(scores))


def _norm_feature(norms: FloatArray, n_train: int) -> FloatArray:
    """Standardised norm, shape (n, 1), or (n, 0) if it is constant to the last bit of float64."""
    eps = float(np.finfo(np.float64).eps)
    reach = Reach.of(norms[:n_train, None], eps)
    drawn = reach.drawn_in(norms[:, None])
    train = drawn[:n_train][near_rows(norms[:, None], n_train)[:n_train]]
    deviation = train.std()
    if deviation <= 4 * eps * train.mean():
        return np.empty((len(norms), 0))
    return np.asarray((drawn - train.mean()) / deviation)


def _float32(values: FloatArray) -> FloatArray:
    # Test rows far outside the training range must not overflow.
    limit = np.finfo(np.float32).max
    return np.asarray(np.clip(values, -limit, limit), dtype=np.float32)


def _is_unit(norms: FloatArray) -> bool:
    return bool(np.ptp(norms) <= _UNIT_TOLERANCE * norms.mean())


def _far_rows(near: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    if near.all():
        return ()
    return (
        f"{np.sum(~near)} of {len(near)} training rows lie so far from the others that these look "
        "alike beside them: scales are learned without them; find out whether they are broken, or "
        "were not made as the others were",
    )


def _hidden(learnt: _Learnt) -> tuple[str, ...]:
    """Refuse rows of which so many are far out that no scale is that of the others."""
    n, d = int(learnt.reach.two_scales.sum()), len(learnt.reach.two_scales)
    if 2 * n <= d and not learnt.most_are_far:
        return ()
    return (
        "most training rows lie so far from the others, or each from all, that what others tell "
        "cannot be read beside them: bring them to one scale, or audit them apart",
    )


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
