"""Minimum description length of labels given embeddings, by an online code.

Voita and Titov, "Information-theoretic probing with minimum description length" (EMNLP 2020): a
sender codes the labels block after block with an attacker trained on the blocks before. A high
accuracy from few labels makes the code short, so one figure holds accuracy and effort.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression

from sensitivenets.audit.attackers.catalogue import Attacker
from sensitivenets.audit.results import DescriptionLength
from sensitivenets.audit.splits import IntArray
from sensitivenets.audit.tasks import AttackTask, seed_of
from sensitivenets.audit.trials import class_scores, seeded
from sensitivenets.embeddings import FloatArray

_BLOCK_ENDS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)
# Fewer labels than this of a class calibrate nothing: the block is coded by class shares.
_FEWEST_PER_CLASS = 10
_CALIBRATION_SHARE = 0.25
_MOST_ROWS = 20_000
# No probability below this: one surprise must not cost more than 17 bits.
_SMALLEST = 1e-5


def description_length(
    attacker: Attacker,
    name: str,
    X: FloatArray,
    task: AttackTask,
    identities: IntArray,
    seed: int,
) -> DescriptionLength:
    """Code the training labels online, in bits per row; lower means easier to read.

    The attacker's scores become probabilities by a logistic regression on a quarter of the
    identities already seen. The first rows are coded by class shares.

    Parameters
    ----------
    attacker : Attacker
        With fixed parameters.
    name : str
        Name of the preparation.
    X : ndarray of shape (n, d)
        Prepared rows.
    task : AttackTask
        What is to be read; its training rows are coded, 20 000 at most.
    identities : ndarray of shape (n,)
        Identity of each row; an identity's rows are coded one after the other.
    seed : int
        Decides the order.

    Returns
    -------
    DescriptionLength
        See there.
    """
    seed = seed_of(seed, task.name, "description length")
    rows = _in_order(task.train, identities, seed)
    n, n_classes = len(rows), len(task.classes)
    bits, prior_bits, start = 0.0, 0.0, 0
    for share in _BLOCK_ENDS:
        end = max(round(share * n), start)
        seen, block = rows[:start], rows[start:end]
        if len(block):
            prior = _shares(task.y[seen], n_classes)
            by_prior = np.tile(prior, (len(block), 1))
            probabilities = _predict(attacker, X, task, seen, block, seed)
            prior_bits += _bits(by_prior, task.y[block])
            bits += _bits(by_prior if probabilities is None else probabilities, task.y[block])
        start = end
    return DescriptionLength(
        attacker=f"{attacker.name}, {name}",
        bits_per_row=bits / n,
        uniform_bits_per_row=float(np.log2(n_classes)),
        prior_bits_per_row=prior_bits / n,
        n=n,
    )


def _in_order(train: IntArray, identities: IntArray, seed: int) -> IntArray:
    distinct, index = np.unique(identities[train], return_inverse=True)
    place = np.random.default_rng(seed).permutation(len(distinct))
    return train[np.argsort(place[index], kind="stable")][:_MOST_ROWS]


def _shares(y: IntArray, n_classes: int) -> FloatArray:
    counts = np.bincount(y, minlength=n_classes) + 1.0
    return np.asarray(counts / counts.sum())


def _predict(
    attacker: Attacker, X: FloatArray, task: AttackTask, seen: IntArray, block: IntArray, seed: int
) -> FloatArray | None:
    """Calibrated probabilities for a block, or None where too little was seen, or on failure."""
    cut = round((1 - _CALIBRATION_SHARE) * len(seen))
    fit, calibrate = seen[:cut], seen[cut:]
    n_classes = len(task.classes)
    if np.bincount(task.y[fit], minlength=n_classes).min() < _FEWEST_PER_CLASS:
        return None
    if len(np.unique(task.y[calibrate])) < n_classes:
        return None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # its trial in the battery has reported them
        try:
            model = seeded(attacker.candidates[0][1], seed, always=True)
            model.fit(X[fit].astype(np.float64), task.y[fit])
            held_out = class_scores(model, X[calibrate].astype(np.float64), n_classes, None)
            scale = max(float(held_out.std()), 1e-12)
            calibration = LogisticRegression().fit(held_out / scale, task.y[calibrate])
            scores = class_scores(model, X[block].astype(np.float64), n_classes, None)
            return np.asarray(calibration.predict_proba(scores / scale))
        except Exception:  # noqa: BLE001 - as in a trial; the block is then coded by class shares
            return None


def _bits(probabilities: FloatArray, y: IntArray) -> float:
    n_classes = probabilities.shape[1]
    floored = (1 - n_classes * _SMALLEST) * probabilities + _SMALLEST
    return float(-np.log2(floored[np.arange(len(y)), y]).sum())
