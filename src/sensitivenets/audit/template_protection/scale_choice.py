"""The scale and number of bits of a code, chosen by what verification may lose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sensitivenets.codes.expected_distance import distance_of_cosine, expected_hamming
from sensitivenets.codes.keys import CodeKey
from sensitivenets.codes.universal import CodeParameters, code_of_key
from sensitivenets.embeddings import FloatArray, Labels, check_vectors
from sensitivenets.errors import InputError, require_int, require_real
from sensitivenets.intervals import Estimate, percentile_interval
from sensitivenets.verification.bootstrap import ScoredPairs, replicate, subjects_of_pairs
from sensitivenets.verification.drawn_pairs import draw_pairs
from sensitivenets.verification.pairs import IntArray, Pairs
from sensitivenets.verification.rates import ErrorCurve
from sensitivenets.verification.scores import Float64Array, cosine_scores

SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)
BITS = (256, 512, 1024)


@dataclass(frozen=True)
class ScalePoint:
    """One scale and number of bits.

    Attributes
    ----------
    scale, n_bits : float, int
        The code.
    loss : Estimate
        Accuracy lost on the validation pairs, a fraction: 0.01 is one point. Lower is better.
        The mean over keys; the interval is over subjects.
    far_signal : float
        How much the distances between *other* people still tell: the spread of their expected
        Hamming distances, in standard deviations of one code's noise. Lower is better. On 128
        features of real faces, attackers on gender and ethnicity ranked codes as it does.
    """

    scale: float
    n_bits: int
    loss: Estimate
    far_signal: float


@dataclass(frozen=True)
class ScaleChoice:
    """The code that tells least within a budget, and what else was tried.

    Attributes
    ----------
    chosen : ScalePoint
        Of the points within the budget, the one with the smallest `far_signal`.
    points : tuple of ScalePoint
        All that was tried.
    accuracy_before : float
        Accuracy of the embeddings on the same pairs.
    budget : float
        What could be lost.
    """

    chosen: ScalePoint
    points: tuple[ScalePoint, ...]
    accuracy_before: float
    budget: float

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True)
class _Trial:
    """The validation pairs, and the subjects at their ends."""

    pairs: Pairs
    left: IntArray
    right: IntArray
    n_subjects: int

    @classmethod
    def of(cls, X: FloatArray, pairs: Pairs, subjects: Labels) -> _Trial:
        codes = subjects_of_pairs(pairs, len(X), subjects)
        return cls(pairs, codes[pairs.left], codes[pairs.right], int(codes.max()) + 1)

    def accuracies(self, rows: FloatArray, n_bootstrap: int, random_state: int) -> Float64Array:
        """Accuracy of these rows, then of draws of subjects; one seed gives one set of draws."""
        scores = cosine_scores(rows, self.pairs)
        scored = ScoredPairs(scores, self.left, self.right, self.n_subjects)
        return replicate(scored, _accuracy, n_bootstrap, random_state)[:, 0]


def choose_scale(
    X: FloatArray,
    subjects: Labels,
    budget: float,
    *,
    scales: Sequence[float] = SCALES,
    n_bits: Sequence[int] = BITS,
    n_pairs: int = 6000,
    n_keys: int = 3,
    n_bootstrap: int = 200,
    random_state: int = 0,
) -> ScaleChoice:
    """Choose a code by what verification may lose on validation pairs.

    Accuracy is the share of pairs, half of them genuine, that the best threshold decides rightly.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Validation embeddings, after any other map; not those that will be reported on.
    subjects : Labels
        Identity of each row, with two rows or more of some.
    budget : float
        Accuracy that may be lost, a fraction: 0.01 is one point.
    scales, n_bits : sequence
        What to try.
    n_pairs : int, default=6000
        Pairs to draw.
    n_keys : int, default=3
        Keys to take the mean over.
    n_bootstrap : int, default=200
        Draws of subjects behind the intervals.
    random_state : int, default=0
        Decides pairs, keys and draws.

    Returns
    -------
    ScaleChoice

    Raises
    ------
    InputError
        If no code is within the budget; the message names the least loss.
    """
    check_vectors(X, "embeddings")
    require_real("budget", budget, minimum=0, maximum=1)
    require_int("n_keys", n_keys, minimum=1)
    trial = _Trial.of(X, draw_pairs(subjects, n_pairs, 1, random_state=random_state), subjects)
    before = trial.accuracies(X, n_bootstrap, random_state)
    distances = distance_of_cosine(cosine_scores(X, trial.pairs)[~trial.pairs.same])
    seeds = np.random.default_rng(random_state).integers(2**62, size=n_keys)
    points = []
    for bits in n_bits:
        for scale in scales:
            parameters = CodeParameters(X.shape[1], bits, scale)
            after = np.zeros_like(before)
            for seed in seeds:
                code = code_of_key(CodeKey.from_seed(int(seed)), parameters)
                after += trial.accuracies(code(X), n_bootstrap, random_state) / n_keys
            loss = _loss(before, after, len(trial.pairs))
            points.append(ScalePoint(scale, bits, loss, far_signal(distances, scale, bits)))
    within = [point for point in points if point.loss.value <= budget]
    if not within:
        least = min(points, key=lambda point: point.loss.value)
        raise InputError(
            f"budget: no code loses at most {100 * budget:g} points; the least loss is "
            f"{100 * least.loss.value:.2f}, of {least.n_bits} bits at scale {least.scale:g}; allow "
            "more, or try more bits or smaller scales"
        )
    chosen = min(within, key=lambda point: point.far_signal)
    return ScaleChoice(chosen, tuple(points), float(before[0]), budget)


def far_signal(distances: Float64Array, scale: float, n_bits: int) -> float:
    """Tell how visible differences between far embeddings are in a code, in closed form.

    sqrt(n_bits) sd[p(d)] / sqrt(mean[p(d) (1 - p(d))]), with p of `expected_hamming`.

    Parameters
    ----------
    distances : ndarray of shape (n,)
        Euclidean distances between l2-normalised embeddings of different subjects.
    scale, n_bits : float, int
        The code.

    Returns
    -------
    float
        0 where all far embeddings look equally far; lower tells less.
    """
    expected = expected_hamming(distances, scale)
    noise = np.sqrt(np.mean(expected * (1 - expected)) / n_bits)
    return float(np.std(expected) / noise) if noise > 0 else 0.0


def _accuracy(curve: ErrorCurve) -> Float64Array:
    return np.array([1 - np.min(curve.fmr + curve.fnmr) / 2])


def _loss(before: Float64Array, after: Float64Array, n: int) -> Estimate:
    low, high = percentile_interval((before - after)[1:])
    value = float(before[0] - after[0])
    return Estimate(value, max(min(low, value), -1.0), min(max(high, value), 1.0), n)
