"""Scores of two or more groups: how far apart they lie, and who is among the best."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import Labels
from sensitivenets.errors import InputError, require_int

Float64 = npt.NDArray[np.float64]
_BINS = 50


@dataclass(frozen=True)
class ScoreComparison:
    """How the scores of groups differ.

    Attributes
    ----------
    divergence : float
        Kullback-Leibler divergence between the histograms of two groups in nats, mean over all
        ordered pairs of groups; 0 is no difference.
    by_chance : float
        What 95 of 100 random assignments of the same groups stay below: a finite sample is never
        at 0.
    means : dict of str to float
        Mean score of each group.
    top : dict of str to float
        Share of each group among the best `n_top`; ties are broken by row.
    n_top : int
        How many are the best.
    shares : dict of str to float
        Share of each group among all.
    """

    divergence: float
    by_chance: float
    means: dict[str, float]
    top: dict[str, float]
    n_top: int
    shares: dict[str, float]


def compare_scores(
    scores: npt.ArrayLike,
    groups: Labels,
    *,
    n_top: int = 100,
    n_shuffles: int = 100,
    random_state: int = 0,
) -> ScoreComparison:
    """Compare the scores that groups are given, as FairCVtest does.

    Parameters
    ----------
    scores : array-like of shape (n,)
        In [0, 1]; higher is better.
    groups : Labels
        Group of each row; unlabelled rows are left out.
    n_top : int, default=100
        How many are the best.
    n_shuffles : int, default=100
        Random assignments behind `by_chance`.
    random_state : int, default=0
        Decides them.

    Returns
    -------
    ScoreComparison

    Raises
    ------
    InputError
        If a score is outside [0, 1] or undefined, the lengths differ, there are fewer rows than
        `n_top`, or fewer than two groups.
    """
    require_int("n_top", n_top, minimum=1)
    groups.require_two_classes()
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape != (len(groups),):
        raise InputError(
            f"scores: expected one for each of {len(groups)} rows, found shape {scores.shape}"
        )
    scores, codes = scores[groups.labelled], groups.codes[groups.labelled]
    if not ((scores >= 0) & (scores <= 1)).all():
        raise InputError(
            f"scores: expected values in [0, 1], found {scores.min()} to {scores.max()}"
        )
    if len(scores) < n_top:
        raise InputError(f"n_top: expected at most {len(scores)}, the rows, found {n_top}")
    rng = np.random.default_rng(random_state)
    shuffled = [mean_divergence(scores, rng.permutation(codes)) for _ in range(n_shuffles)]
    present = {code: groups.classes[code] for code in np.unique(codes)}
    best = codes[np.argsort(-scores, kind="stable")[:n_top]]
    return ScoreComparison(
        divergence=mean_divergence(scores, codes),
        by_chance=float(np.quantile(shuffled, 0.95)),
        means={name: float(scores[codes == code].mean()) for code, name in present.items()},
        top={name: float((best == code).mean()) for code, name in present.items()},
        n_top=n_top,
        shares={name: float((codes == code).mean()) for code, name in present.items()},
    )


def mean_divergence(scores: Float64, codes: npt.NDArray[np.int64]) -> float:
    """Return the mean Kullback-Leibler divergence over ordered pairs of groups, in nats.

    Histograms of 50 bins on [0, 1] with half a row added to each, so that an empty bin is rare
    and not impossible.
    """
    histograms = []
    for code in np.unique(codes):
        counts = np.histogram(scores[codes == code], bins=_BINS, range=(0, 1))[0] + 0.5
        histograms.append(counts / counts.sum())
    pairs = list(combinations(histograms, 2))
    # KL(p | q) + KL(q | p) = sum (p - q) log(p / q)
    both = [float(np.sum((p - q) * np.log(p / q))) for p, q in pairs]
    return float(np.mean(both)) / 2
