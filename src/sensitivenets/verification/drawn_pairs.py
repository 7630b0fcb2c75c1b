"""Verification pairs drawn from a table that comes without any, in the manner of LFW view 2."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import Labels
from sensitivenets.errors import InputError
from sensitivenets.verification.pairs import Pairs

IntArray = npt.NDArray[np.int64]


def draw_pairs(
    subject: Labels, n_pairs: int = 6000, n_folds: int = 10, *, random_state: int = 0
) -> Pairs:
    """Draw genuine and impostor pairs, as many of each, in folds that share no subject.

    Parameters
    ----------
    subject : Labels
        Identity of each row; unlabelled rows are in no pair.
    n_pairs : int, default=6000
        Pairs to draw; fewer where a fold does not have that many different ones.
    n_folds : int, default=10
        Folds; subjects are dealt to them at random.
    random_state : int, default=0
        Decides which.

    Returns
    -------
    Pairs
        No pair twice, and the same number of both kinds in each fold.

    Raises
    ------
    InputError
        If a fold gets no genuine or no impostor pair.
    """
    rng = np.random.default_rng(random_state)
    fold_of_subject = rng.permutation(np.arange(len(subject.classes)) % n_folds)
    drawn = []
    for fold in range(n_folds):
        rows = np.flatnonzero(subject.labelled)
        rows = rows[fold_of_subject[subject.codes[rows]] == fold]
        genuine, impostor = _candidates(subject.codes[rows], n_pairs // n_folds, rng)
        n = min(len(genuine), len(impostor), n_pairs // (2 * n_folds))
        if n == 0:
            raise InputError(
                f"column {subject.name!r}: fold {fold} of {n_folds} has no two rows of one "
                "subject, or no two subjects; use fewer folds or a table with more subjects"
            )
        both = rows[np.concatenate([genuine[:n], impostor[:n]])]
        drawn.append((both, np.repeat([True, False], n), np.full(2 * n, fold)))
    pairs, same, folds = (np.concatenate(part) for part in zip(*drawn, strict=True))
    return Pairs(pairs[:, 0], pairs[:, 1], same, folds, "drawn pairs")


def _candidates(
    codes: IntArray, n_wanted: int, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Different genuine and impostor pairs of positions, in random order."""
    order = np.argsort(codes, kind="stable")
    _, first, counts = np.unique(codes[order], return_index=True, return_counts=True)
    start, size = np.repeat(first, counts), np.repeat(counts, counts)
    # More than wanted, because some will be drawn twice.
    left = rng.choice(np.flatnonzero(size > 1), 4 * n_wanted) if (size > 1).any() else order[:0]
    step = rng.integers(1, np.maximum(size[left], 2))
    mate = start[left] + (left - start[left] + step) % size[left]
    genuine = np.stack([order[left], order[mate]], axis=1)
    anyone = rng.integers(len(codes), size=(4 * n_wanted, 2)) if len(codes) else genuine[:0]
    impostor = anyone[codes[anyone[:, 0]] != codes[anyone[:, 1]]]
    return _distinct(genuine, rng), _distinct(impostor, rng)


def _distinct(pairs: IntArray, rng: np.random.Generator) -> IntArray:
    distinct = np.unique(np.sort(pairs, axis=1), axis=0)
    return rng.permutation(distinct)
