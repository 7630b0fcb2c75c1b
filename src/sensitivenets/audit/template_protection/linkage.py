"""Adversaries who hold the codes of two keys, and want to know who is in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from sklearn.linear_model import Ridge

from sensitivenets.audit.template_protection.unlinkability import (
    Unlinkability,
    measure_unlinkability,
)
from sensitivenets.codes.keys import CodeKey
from sensitivenets.codes.universal import CodeParameters, code_of_key
from sensitivenets.embeddings import EmbeddingTable, FloatArray, Labels
from sensitivenets.embeddings.rows import normalise_rows, row_blocks
from sensitivenets.errors import InputError, require_int
from sensitivenets.intervals import Estimate
from sensitivenets.maps.universal_code import UniversalCode
from sensitivenets.verification.bootstrap import ScoredPairs, rate_estimate, replicate
from sensitivenets.verification.pairs import IntArray
from sensitivenets.verification.rates import error_curve, refusal, threshold_at_fmr

Mated = Literal["other image", "same embedding"]

_MATED: tuple[Mated, ...] = ("other image", "same embedding")
_OTHERS = 10


@dataclass(frozen=True)
class Linkage:
    """What one adversary reaches.

    Attributes
    ----------
    adversary : str
        ``comparison``: Hamming distance across keys. ``regression``: one code is predicted from
        the other by a ridge regression, learned from rows whose codes under both keys are known.
    mated : {"other image", "same embedding"}
        What a mated comparison compares: two images of a subject, or, as after a rotation, one
        embedding under both keys.
    n_known : int
        Rows that the adversary learned from; none of their subjects is in a comparison.
    unlinkability : Unlinkability
        D_sys near 0 means that this adversary fails; another one may not.
    """

    adversary: str
    mated: Mated
    n_known: int
    unlinkability: Unlinkability


@dataclass(frozen=True)
class Protection:
    """Unlinkability and renewability of keyed codes, in the terms of ISO/IEC 24745.

    Attributes
    ----------
    same_key : Unlinkability
        The control: comparisons under one key must be linkable, or nothing was measured.
    linkages : tuple of Linkage
        Each adversary, across two keys.
    revoked_accepted : Estimate
        Renewability: share of codes of a revoked key that would be accepted in the place of the
        code of the same embedding under the new key, at the threshold of `fmr`. It should not
        exceed `fmr` by more than its interval.
    fmr : float
        False match rate of that threshold, under one key.
    parameters : CodeParameters
        Bits and scale.
    """

    same_key: Unlinkability
    linkages: tuple[Linkage, ...]
    revoked_accepted: Estimate
    fmr: float
    parameters: CodeParameters

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "parameters": asdict(self.parameters),
            "same_key": self.same_key.to_dict(),
            "linkages": [
                {"adversary": one.adversary, "mated": one.mated, "n_known": one.n_known}
                | one.unlinkability.to_dict()
                for one in self.linkages
            ],
            "revoked_accepted": asdict(self.revoked_accepted) | {"fmr": self.fmr},
        }


@dataclass(frozen=True)
class _Comparisons:
    """Rows to compare across keys, with their subjects, no subject in two mated comparisons.

    Images of one person have similar codes, and so similar scores: several mated comparisons of
    one person would look like more evidence than they are.
    """

    left: IntArray
    right: IntArray
    left_subject: IntArray
    right_subject: IntArray

    @classmethod
    def draw(cls, subject: IntArray, mated: Mated, rng: np.random.Generator) -> _Comparisons:
        """Draw one mated comparison of each subject, and ten with other subjects."""
        order = rng.permutation(len(subject))
        order = order[np.argsort(subject[order], kind="stable")]
        _, first, counts = np.unique(subject[order], return_index=True, return_counts=True)
        if mated == "other image":
            first = first[counts > 1]
        first = rng.permutation(first)
        left = order[first]
        right = left if mated == "same embedding" else order[first + 1]
        shifts = range(min(_OTHERS, max(len(left) - 1, 0)) + 1)
        ends = np.tile(left, len(shifts)), np.concatenate([np.roll(right, k) for k in shifts])
        return cls(*ends, subject[ends[0]], subject[ends[1]])

    def scored(self, one: FloatArray, two: FloatArray) -> ScoredPairs:
        """Compare rows of one table with rows of another, by the dot product."""
        scores = np.empty(len(self.left), dtype=np.float64)
        for block in row_blocks(len(scores)):
            scores[block] = np.vecdot(one[self.left[block]], two[self.right[block]])
        both = np.concatenate([self.left_subject, self.right_subject])
        subjects, ends = np.unique(both, return_inverse=True)
        return ScoredPairs(scores, ends[: len(scores)], ends[len(scores) :], len(subjects))


def measure_protection(
    table: EmbeddingTable,
    subject: Labels,
    parameters: CodeParameters,
    *,
    n_known: Sequence[int] = (300, 3000),
    fmr: float = 1e-2,
    n_bootstrap: int = 500,
    random_state: int = 0,
) -> Protection:
    """Encode a table under two keys, and let adversaries without the keys link the codes.

    Parameters
    ----------
    table : EmbeddingTable
        Embeddings as they would be encoded.
    subject : Labels
        Identity of each row; unlabelled rows are left out.
    parameters : CodeParameters
        What to measure.
    n_known : sequence of int, default=(300, 3000)
        Rows that the adversary knows under both keys, taken from one half of the subjects; the
        other half is linked. More than there are is all there are.
    fmr : float, default=0.01
        For `revoked_accepted`.
    n_bootstrap : int, default=500
        Draws of subjects behind intervals.
    random_state : int, default=0
        Decides the keys, halves, comparisons and draws. There is one mated comparison of each
        subject, and ten with others.

    Returns
    -------
    Protection

    Raises
    ------
    InputError
        If the linked half has fewer than 20 subjects of two rows or more, or too few for `fmr`.
    """
    for n in n_known:
        require_int("n_known", n, minimum=1)
    rng = np.random.default_rng(random_state)
    first, second = (_code(parameters, int(rng.integers(2**62))) for _ in range(2))
    known, linked = _halves(subject, rng)
    kinds = {mated: _Comparisons.draw(subject.codes[linked], mated, rng) for mated in _MATED}
    one, two = first(table.vectors[linked]), second(table.vectors[linked])

    def measured(scored: ScoredPairs) -> Unlinkability:
        return measure_unlinkability(scored, n_bootstrap=n_bootstrap, random_state=random_state)

    same_key = kinds["other image"].scored(one, one)
    control = measured(same_key)
    linkages = [
        Linkage("comparison", mated, 0, measured(drawn.scored(one, two)))
        for mated, drawn in kinds.items()
    ]
    order = rng.permutation(known)
    for n in sorted({min(n, len(order)) for n in n_known}):
        seen = table.vectors[order[:n]]
        guess, truth = _regressed(first(seen), second(seen), one, two)
        linkages += [
            Linkage("regression", mated, n, measured(drawn.scored(guess, truth)))
            for mated, drawn in kinds.items()
        ]
    threshold = _threshold(same_key, fmr)
    reissued = kinds["same embedding"].scored(one, two)
    accepted = _share_accepted(reissued, threshold, n_bootstrap, random_state)
    return Protection(control, tuple(linkages), accepted, fmr, parameters)


def _code(parameters: CodeParameters, seed: int) -> UniversalCode:
    return code_of_key(CodeKey.from_seed(seed), parameters)


def _halves(subject: Labels, rng: np.random.Generator) -> tuple[Any, Any]:
    """Rows of one half of the subjects, and of the other."""
    in_first = rng.permutation(len(subject.classes)) < len(subject.classes) // 2
    side = np.where(subject.labelled, in_first[subject.codes], False)
    known, linked = np.flatnonzero(side), np.flatnonzero(subject.labelled & ~side)
    if not len(known) or not len(linked):
        raise InputError(
            f"column {subject.name!r}: expected at least two subjects, found "
            f"{len(subject.classes)}; use a table with more subjects"
        )
    return known, linked


def _regressed(
    one_known: FloatArray, two_known: FloatArray, one: FloatArray, two: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Predict the second code of each row from its first; centre and scale for a cosine."""
    ridge = Ridge(1.0).fit(one_known, two_known)
    mean = two_known.mean(axis=0)
    guess, truth = ridge.predict(one) - mean, two - mean
    normalise_rows(guess)
    normalise_rows(truth)
    return guess, truth


def _threshold(same_key: ScoredPairs, fmr: float) -> float:
    too_few = refusal(fmr, int(np.count_nonzero(~same_key.same)))
    if too_few:
        raise InputError(f"{too_few}; use a larger fmr, or a table with more subjects")
    return threshold_at_fmr(error_curve(same_key.scores, same_key.same), fmr).threshold


def _share_accepted(
    pairs: ScoredPairs, threshold: float, n_bootstrap: int, random_state: int
) -> Estimate:
    accepted = pairs.scores[pairs.same] >= threshold
    # Scores of 0 and 1 with a threshold between them: the curve then has the one point needed.
    decided = ScoredPairs(
        (pairs.scores >= threshold).astype(np.float64), pairs.left, pairs.right, pairs.n_subjects
    )
    draws = replicate(
        decided,
        lambda curve: np.array([curve.tar[np.searchsorted(-curve.thresholds, -0.5) - 1]]),
        n_bootstrap,
        random_state,
    )
    value = float(np.mean(accepted))
    return rate_estimate(value, draws[:, 0], len(accepted), decided.n_genuine_subjects)
