"""Unlinkability: whether templates of one subject under two keys can be told from any others.

Vocabulary of ISO/IEC 24745 and of Gomez-Barrero et al. A comparison across two keys is *mated*
when both templates come from one subject. With p(s | mated) and p(s | non-mated) the densities of
its score and omega the ratio of their priors,

    D(s) = 2 LR omega / (1 + LR omega) - 1   where LR omega = omega p(s | mated) / p(s | non-mated)
                                             exceeds 1, and 0 elsewhere,
    D_sys = integral of D(s) p(s | mated) ds.

D_sys is 0 where scores say nothing, and 1 where they say everything.

References
----------
Gomez-Barrero, Galbally, Rathgeb, Busch (2018), General framework to evaluate unlinkability in
biometric template protection systems. IEEE Trans. Information Forensics and Security 13 (6).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sensitivenets.errors import InputError, require_real
from sensitivenets.intervals import Estimate, percentile_interval
from sensitivenets.verification.bootstrap import ScoredPairs, replicate
from sensitivenets.verification.pairs import BoolArray
from sensitivenets.verification.rates import ErrorCurve
from sensitivenets.verification.scores import Float64Array

_MOST_BINS = 100
_MATED_PER_BIN = 10
_FEWEST_MATED = 20
_SHUFFLES = 200


@dataclass(frozen=True)
class Unlinkability:
    """How far scores across keys give away who is who.

    Attributes
    ----------
    d_sys : Estimate
        The global measure, in [0, 1]; lower is better, 1 is fully linkable. The interval is over
        subjects; `n` counts mated comparisons.
    chance : float
        What scores that say nothing stay below in 95 of 100 draws: with so many comparisons, a
        `d_sys` up to it is as good as 0.
    scores : ndarray of shape (b,), float64
        Middles of the bins of scores.
    local : ndarray of shape (b,), float64
        D(s) at these scores, in [0, 1].
    n_mated, n_non_mated : int
        Comparisons of each kind.
    """

    d_sys: Estimate
    chance: float
    scores: Float64Array
    local: Float64Array
    n_mated: int
    n_non_mated: int

    @property
    def linkable(self) -> bool:
        """Whether the scores say more than chance can explain."""
        return self.d_sys.value > self.chance

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "d_sys": asdict(self.d_sys),
            "chance": self.chance,
            "linkable": self.linkable,
            "scores": self.scores.tolist(),
            "local": self.local.tolist(),
            "n_mated": self.n_mated,
            "n_non_mated": self.n_non_mated,
        }


def measure_unlinkability(
    pairs: ScoredPairs, *, omega: float = 1.0, n_bootstrap: int = 500, random_state: int = 0
) -> Unlinkability:
    """Compute D(s) and D_sys from scores across keys.

    Parameters
    ----------
    pairs : ScoredPairs
        Scores, each with the subjects at both ends: one subject is a mated comparison. Whether
        high or low scores are alike does not matter.
    omega : float, default=1
        Ratio of the priors of mated and non-mated; 1 is the adversary's best case.
    n_bootstrap : int, default=500
        Draws of subjects behind the interval.
    random_state : int, default=0
        Seed of the draws.

    Returns
    -------
    Unlinkability
        From histograms of equal bins, one for each ten mated comparisons and at most 100, as in
        the authors' own program. A bin with mated comparisons only counts as D(s) = 1.

    Raises
    ------
    InputError
        If there are fewer than 20 mated or no non-mated comparisons, or a score is not finite.
    """
    require_real("omega", omega, above=0)
    same = pairs.same
    n_mated, n_non_mated = int(np.count_nonzero(same)), int(np.count_nonzero(~same))
    if n_mated < _FEWEST_MATED or n_non_mated == 0:
        raise InputError(
            f"unlinkability: expected at least {_FEWEST_MATED} mated and some non-mated "
            f"comparisons, found {n_mated} and {n_non_mated}; use a table with more subjects"
        )
    if not np.isfinite(pairs.scores).all():
        raise InputError("unlinkability: expected finite scores, found NaN or infinity")
    edges = _edges(pairs.scores, n_mated)

    def of_curve(curve: ErrorCurve) -> Float64Array:
        mated, non_mated = _masses(curve.tar, curve, edges), _masses(curve.fmr, curve, edges)
        return np.array([float(np.sum(_local(mated, non_mated, omega) * mated))])

    draws = replicate(pairs, of_curve, n_bootstrap, random_state)[:, 0]
    histograms = [np.histogram(pairs.scores[kind], edges)[0] for kind in (same, ~same)]
    local = _local(histograms[0] / n_mated, histograms[1] / n_non_mated, omega)
    value = float(np.sum(local * histograms[0]) / n_mated)
    return Unlinkability(
        _estimate(value, draws, n_mated),
        _chance(pairs.scores, same, edges, omega, random_state),
        (edges[:-1] + edges[1:]) / 2,
        local,
        n_mated,
        n_non_mated,
    )


def _edges(scores: Float64Array, n_mated: int) -> Float64Array:
    low, high = float(scores.min()), float(scores.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    n_bins = min(n_mated // _MATED_PER_BIN, _MOST_BINS)
    return np.asarray(np.linspace(low, high, n_bins + 1), dtype=np.float64)


def _local(mated: Float64Array, non_mated: Float64Array, omega: float) -> Float64Array:
    """D(s) of each bin; 2 a / (a + b) - 1 is (a - b) / (a + b), for a = omega p(s | mated)."""
    weighted = omega * mated
    total = weighted + non_mated
    difference = np.divide(
        weighted - non_mated, total, out=np.zeros_like(total, dtype=np.float64), where=total > 0
    )
    return np.asarray(np.maximum(difference, 0), dtype=np.float64)


def _masses(above: Float64Array, curve: ErrorCurve, edges: Float64Array) -> Float64Array:
    """Share of the scores in each bin, from the shares at or above each threshold."""
    at = np.searchsorted(-curve.thresholds, -edges[:-1], side="right") - 1
    return -np.diff(np.append(above[at], 0.0))


def _estimate(value: float, draws: Float64Array, n: int) -> Estimate:
    below, above = percentile_interval(draws[1:] - draws[0])
    # Noise raises D_sys, in a draw of subjects as in the subjects themselves. Taken away from the
    # value instead of added to it, the deviations undo that (the basic bootstrap).
    low, high = value - above, value - below
    return Estimate(value, max(min(low, value), 0.0), min(max(high, value), 1.0), n)


def _chance(
    scores: Float64Array, same: BoolArray, edges: Float64Array, omega: float, random_state: int
) -> float:
    rng = np.random.default_rng(random_state)
    values = np.empty(_SHUFFLES)
    everything = np.histogram(scores, edges)[0]
    n_mated, n_non_mated = np.count_nonzero(same), np.count_nonzero(~same)
    for k in range(_SHUFFLES):
        mated = np.histogram(rng.permuted(scores)[:n_mated], edges)[0]
        local = _local(mated / n_mated, (everything - mated) / n_non_mated, omega)
        values[k] = np.sum(local * mated) / n_mated
    return float(np.quantile(values, 0.95))
