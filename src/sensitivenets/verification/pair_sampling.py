"""A small sample of all pairs from which the bootstrap tells how rates vary over subjects.

The rates themselves come from all pairs. Their intervals need, for each draw of subjects, the
scores of the pairs again; a few hundred thousand of them are enough if the rare high impostor
scores, on which an FMR of 1e-4 rests, are not thinned like the rest. Impostor pairs are therefore
sampled by strata of score, with inverse probabilities as weights (Horvitz and Thompson, 1952).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import row_blocks
from sensitivenets.verification.pair_kinds import PairKind
from sensitivenets.verification.pairs import BoolArray, IntArray
from sensitivenets.verification.scores import Float64Array

_PILOT_PAIRS = 400_000
_BODY_PAIRS = 100_000
_PAIRS_PER_STRATUM = 50_000
_GENUINE_PAIRS = 100_000
# Pilot scores that must lie above a cutoff for it to be worth anything.
_PILOT_SUPPORT = 20
# Pilots of a rare kind of pairs that are enough to choose strata by.
_FEWEST_PILOTS = 1000


@dataclass(frozen=True)
class SamplingPlan:
    """Which pairs to keep.

    Attributes
    ----------
    cutoffs : ndarray of shape (s,), float64
        Ascending scores at which strata of impostor pairs begin; minus infinity where all pairs
        are in a stratum.
    shares : ndarray of shape (s,), float64
        Probability with which a pair of each stratum is kept.
    genuine_share : float
        The same for genuine pairs.
    body : ndarray of shape (b, 2), int64
        Impostor pairs below the first cutoff, drawn at random.
    body_scores : ndarray of shape (b,), float64
        Their scores.
    body_weight : float
        Impostor pairs that each of them stands for.
    seed : int
        Decides which pairs are kept.
    """

    cutoffs: Float64Array
    shares: Float64Array
    genuine_share: float
    body: IntArray
    body_scores: Float64Array
    body_weight: float
    seed: int

    def impostor_share(self, scores: Float64Array) -> Float64Array:
        """Probability with which impostor pairs with these scores are kept."""
        stratum = np.searchsorted(self.cutoffs, scores, side="right") - 1
        return self.shares[np.maximum(stratum, 0)]

    def chosen(self, pairs: IntArray, share: Float64Array) -> BoolArray:
        """Decide by a hash of each pair, so that neither blocks nor threads matter."""
        mixed = pairs[:, 0].astype(np.uint64) << np.uint64(32)
        mixed = _splitmix((mixed | pairs[:, 1].astype(np.uint64)) ^ _splitmix_seed(self.seed))
        uniform = (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return np.less(uniform, share)


def _splitmix_seed(seed: int) -> np.uint64:
    return np.random.default_rng(seed).integers(2**63, dtype=np.uint64)


def _splitmix(values: np.typing.NDArray[np.uint64]) -> np.typing.NDArray[np.uint64]:
    """Steele, Lea, Flood (2014): the finaliser of splitmix64."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def plan_sample(
    unit: FloatArray,
    codes: IntArray,
    n_genuine: int,
    n_impostor: int,
    *,
    fmr_levels: tuple[float, ...] = (),
    cutoffs: tuple[float, ...] = (),
    kind: PairKind | None = None,
    seed: int,
) -> SamplingPlan:
    """Choose strata from a pilot of random impostor pairs.

    Parameters
    ----------
    unit : ndarray of shape (n, d), float32
        Unit rows.
    codes : ndarray of shape (n,), int64
        Their subjects, ascending.
    n_genuine, n_impostor : int
        Pairs of each kind.
    fmr_levels : tuple of float
        FMR at which strata begin.
    cutoffs : tuple of float
        Scores at which strata begin, instead.
    kind : PairKind, optional
        Which pairs there are to keep; all unless given.
    seed : int
        Seed of the pilot and of the plan.

    Returns
    -------
    SamplingPlan
        That keeps all pairs where there are few.
    """
    genuine_share = min(1.0, _GENUINE_PAIRS / max(n_genuine, 1))
    if n_impostor <= _BODY_PAIRS:
        return _of_one_stratum(1.0, genuine_share, seed)
    pairs = _random_impostors(codes, np.random.default_rng(seed))
    if kind is not None:
        pairs = pairs[kind.holds(*pairs.T)]
        if len(pairs) < _FEWEST_PILOTS:
            return _of_one_stratum(_BODY_PAIRS / n_impostor, genuine_share, seed)
    scores = _scores_of(unit, pairs)
    levels = [f for f in fmr_levels if f < 0.5 and f * len(scores) >= _PILOT_SUPPORT]
    starts = np.unique(cutoffs or np.quantile(scores, [1 - f for f in levels or (0.02,)]))
    above = np.array([np.count_nonzero(scores >= start) for start in starts])
    # One pair more than the pilot saw, so that an empty stratum is not thinned away.
    expected = (above - np.append(above[1:], 0) + 1) * n_impostor / len(scores)
    body = np.flatnonzero(scores[:_BODY_PAIRS] < starts[0])
    return SamplingPlan(
        starts,
        np.minimum(1.0, _PAIRS_PER_STRATUM / expected),
        genuine_share,
        pairs[body],
        scores[body],
        n_impostor / min(_BODY_PAIRS, len(scores)),
        seed,
    )


def _of_one_stratum(share: float, genuine_share: float, seed: int) -> SamplingPlan:
    """Keep a share of all impostor pairs, whatever their scores."""
    everything, none = np.array([-np.inf]), np.zeros((0, 2), dtype=np.int64)
    shares = np.array([share])
    return SamplingPlan(everything, shares, genuine_share, none, np.zeros(0), 0.0, seed)


def _random_impostors(codes: IntArray, generator: np.random.Generator) -> IntArray:
    """Draw impostor pairs uniformly; `codes` ascend, so a subject's rows are one range."""
    begin = np.searchsorted(codes, codes, side="left")
    own = np.searchsorted(codes, codes, side="right") - begin
    others = np.cumsum(len(codes) - own)
    row = np.searchsorted(others, generator.integers(others[-1], size=_PILOT_PAIRS), side="right")
    column = generator.integers(len(codes) - own[row])
    column += np.where(column >= begin[row], own[row], 0)
    return np.stack([row, column], axis=1)


def _scores_of(unit: FloatArray, pairs: IntArray) -> Float64Array:
    scores = np.empty(len(pairs), dtype=np.float64)
    for block in row_blocks(len(pairs)):
        left, right = pairs[block].T
        scores[block] = np.einsum("ij,ij->i", unit[left], unit[right])
    return scores
