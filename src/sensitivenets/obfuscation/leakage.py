"""What attackers read of an attribute, from pixels and from embeddings.

Two claims are told apart by who trains the attacker, and on what. An attacker trained on faces as
they are and shown obfuscated ones is the one that image-level systems are usually judged by; an
attacker trained on obfuscated faces is the one that whoever holds them will use.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sensitivenets.audit.attack import Workers
from sensitivenets.audit.attackers.catalogue import AuditPlan, quick_plan
from sensitivenets.audit.metrics import TrueLabels, balanced_accuracy
from sensitivenets.audit.preparations import STANDARDISED, WHITENED
from sensitivenets.audit.run import run_audit
from sensitivenets.audit.splits import IntArray, Split
from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.errors import InputError
from sensitivenets.faces.images import Image
from sensitivenets.intervals import Estimate
from sensitivenets.obfuscation.networks import PixelClassifier


@dataclass(frozen=True)
class Sides:
    """Labels and identities of the rows that train attackers, then of those that are attacked.

    Attributes
    ----------
    labels : Labels
        The attribute, on every row.
    subjects : Labels
        Identity of every row.
    n_train : int
        Rows that train: the first ones.
    """

    labels: Labels
    subjects: Labels
    n_train: int

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.subjects) or not 0 < self.n_train < len(self.labels):
            raise InputError(
                f"attack: expected a label and a subject on each row, some to train and some to "
                f"test; found {len(self.labels)} labels, {len(self.subjects)} subjects, "
                f"{self.n_train} to train"
            )
        if not self.labels.labelled.all():
            raise InputError(f"{self.labels.name}: expected a label on every row; leave others out")

    @property
    def test(self) -> IntArray:
        """The rows attacked."""
        return np.arange(self.n_train, len(self.labels))


def read_from_embeddings(
    train: FloatArray, test: FloatArray, sides: Sides, *, random_state: int = 0
) -> dict[str, Estimate]:
    """Train the attackers of Table I on some embeddings, and show them others.

    Parameters
    ----------
    train : ndarray of shape (n_train, d)
        Embeddings to train on: of faces as they are, or of obfuscated ones.
    test : ndarray of shape (n_test, d)
        Embeddings to attack.
    sides : Sides
        Their labels and identities.
    random_state : int, default=0
        Decides seeds and draws.

    Returns
    -------
    dict of str to Estimate
        Balanced accuracy of NN, SVM, RF and a voting ensemble of them, each on standardised or on
        whitened rows, whichever reads more: 1 is everything, one over the number of classes is
        chance.
    """
    rows = np.concatenate([train, test])
    if len(train) != sides.n_train or len(rows) != len(sides.labels):
        raise InputError(
            f"attack: expected {sides.n_train} rows to train and {len(sides.test)} to test, found "
            f"{len(train)} and {len(test)}"
        )
    result = run_audit(
        rows,
        None,
        {sides.labels.name: sides.labels},
        plan=_plan(),
        split=Split(np.arange(sides.n_train), sides.test, sides.subjects),
        random_state=random_state,
        workers=Workers(),
        progress=None,
    )
    found: dict[str, Estimate] = {}
    for one in result.attributes[0].before.attackers:
        value, low, high = one.balanced_accuracy, one.low, one.high
        if one.preparation == "none" or value is None or low is None or high is None:
            continue
        if one.attacker not in found or value > found[one.attacker].value:
            found[one.attacker] = Estimate(value, low, high, one.n)
    return found


def read_from_pixels(
    classifier: PixelClassifier, pixels: Image, sides: Sides, *, random_state: int = 0
) -> Estimate:
    """Show a trained classifier the faces to attack.

    Parameters
    ----------
    classifier : PixelClassifier
        Trained on faces of the training side.
    pixels : ndarray of shape (n_test, side, side, 3), uint8
        Faces to attack.
    sides : Sides
        Labels and identities.
    random_state : int, default=0
        Decides the bootstrap draws.

    Returns
    -------
    Estimate
        Balanced accuracy, with a 95 % interval by bootstrap over the identities.
    """
    labels, subjects = sides.labels.take(sides.test), sides.subjects.take(sides.test)
    if len(pixels) != len(labels):
        raise InputError(f"attack: expected {len(labels)} faces to test, found {len(pixels)}")
    predicted = classifier.scores(pixels).argmax(axis=1).astype(np.int64)
    value = balanced_accuracy(labels.codes, predicted)
    truth = TrueLabels.make(labels.codes, len(labels.classes), subjects.codes, random_state)
    low, high = truth.interval(value, truth.draws(predicted[:, None])[:, 0])
    return Estimate(value, low, high, len(labels))


def _plan() -> AuditPlan:
    both = (STANDARDISED, WHITENED)
    plan = quick_plan()
    attackers = tuple(replace(attacker, preparations=both) for attacker in plan.attackers)
    return replace(plan, attackers=attackers, preparations=both)
