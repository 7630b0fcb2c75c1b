"""What is to be read: the labelled rows of an attribute, and the identities held out to tune."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from sensitivenets.audit.splits import IntArray, Split
from sensitivenets.embeddings import Labels
from sensitivenets.errors import InputError

# Enough to rank parameters; the winner is fitted again on all training rows.
_TUNE_ROWS = 2000
_VALIDATE_ROWS = 1500
_VALIDATE_SHARE = 0.25
_FEWEST_IDENTITIES = 8


def make_task(labels: Labels, split: Split, seed: int) -> tuple[AttackTask, tuple[str, ...]]:
    """Select the labelled rows of an attribute and hold identities out for tuning.

    Parameters
    ----------
    labels : Labels
        The attribute, one label for each row of the table.
    split : Split
        Training and test rows of the table.
    seed : int
        Decides which identities are held out.

    Returns
    -------
    task : AttackTask
        With row numbers that count the training rows first, then the test rows.
    notes : tuple of str
        Classes left out because they have no training or no test rows.

    Raises
    ------
    InputError
        If fewer than two classes have both.
    """
    order = np.concatenate([split.train, split.test])
    codes, n_train = labels.codes[order], len(split.train)
    kept, notes = _usable_classes(labels, codes[:n_train], codes[n_train:])
    y = np.full(len(order), -1, dtype=np.int64)
    for new, old in enumerate(kept):
        y[codes == old] = new
    train = np.flatnonzero(y[:n_train] >= 0)
    test = n_train + np.flatnonzero(y[n_train:] >= 0)
    identities = split.identities(len(labels))[order]
    tune, validate = hold_out(train, identities, seed)
    if len(np.unique(y[tune])) < len(kept):
        tune = validate = np.empty(0, dtype=np.int64)
    if len(validate) == 0:
        notes = (*notes, "too few identities to hold some out: default parameters, no validation")
    classes = tuple(labels.classes[code] for code in kept)
    return AttackTask(labels.name, classes, y, train, test, tune, validate), notes


def hold_out(train: IntArray, identities: IntArray, seed: int) -> tuple[IntArray, IntArray]:
    """Rows to tune on and rows of other identities to validate on, a few thousand at most.

    Parameters
    ----------
    train : ndarray of int64
        Labelled training rows.
    identities : ndarray
        Identity of every row.
    seed : int
        Decides which identities.

    Returns
    -------
    tune, validate : ndarray of int64
        Both empty if there are fewer than eight identities.
    """
    rng = np.random.default_rng([seed, 2])
    distinct = rng.permutation(np.unique(identities[train]))
    if len(distinct) < _FEWEST_IDENTITIES:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    held_out = distinct[: round(_VALIDATE_SHARE * len(distinct))]
    mask = np.isin(identities[train], held_out)
    tune, validate = rng.permutation(train[~mask]), rng.permutation(train[mask])
    return np.sort(tune[:_TUNE_ROWS]), np.sort(validate[:_VALIDATE_ROWS])


def _usable_classes(
    labels: Labels, train: IntArray, test: IntArray
) -> tuple[list[int], tuple[str, ...]]:
    in_train, in_test = set(train.tolist()), set(test.tolist())
    codes = range(len(labels.classes))
    kept = [code for code in codes if code in in_train and code in in_test]
    dropped = [labels.classes[code] for code in codes if code not in kept]
    if len(kept) < 2:
        found = {
            side: {labels.classes[c]: int(np.sum(rows == c)) for c in codes if np.any(rows == c)}
            for side, rows in (("training", train), ("test", test))
        }
        raise InputError(
            f"attribute {labels.name!r}: expected at least two classes with training and test "
            f"rows, found training {found['training']} and test {found['test']}; "
            "split otherwise or leave the attribute out"
        )
    if dropped:
        names = ", ".join(map(repr, dropped))
        return kept, (f"classes without training or test rows left out: {names}",)
    return kept, ()


@dataclass(frozen=True)
class AttackTask:
    """What is to be read, by row of the prepared arrays.

    Attributes
    ----------
    name : str
        The attribute.
    classes : tuple of str
        Names of the K classes, each with training and test rows.
    y : ndarray of shape (rows of the prepared arrays,)
        Class codes 0 to K - 1, or -1 where unlabelled.
    train, test : ndarray of int64
        Labelled rows.
    tune, validate : ndarray of int64
        Training rows to choose parameters with, of different identities; both empty where there
        are too few identities to hold some out.
    """

    name: str
    classes: tuple[str, ...]
    y: IntArray
    train: IntArray
    test: IntArray
    tune: IntArray
    validate: IntArray


def seed_of(seed: int, *names: str) -> int:
    """Seed for one part of an audit: the same whatever runs beside it, and in what order."""
    words = [crc32(name.encode()) for name in names]
    return int(np.random.SeedSequence([seed, *words]).generate_state(1)[0] >> 1)
