"""Labels for a table that has none, proposed by a classifier fitted on one that has (section 3)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sensitivenets.annotation.proposals import MIN_ROWS, Proposer
from sensitivenets.datasets.diveface.balance import IntArray, identity_numbers
from sensitivenets.embeddings import EmbeddingTable, FloatArray, Labels
from sensitivenets.embeddings.labels import UNLABELLED
from sensitivenets.errors import InputError, some_of
from sensitivenets.intervals import Estimate, clopper_pearson

#: Confidences that a proposal is shown at, so that one can be chosen.
CONFIDENCES = (0.5, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class AtConfidence:
    """What a threshold keeps, and how much of it is wrong.

    Attributes
    ----------
    confidence : float
        The threshold, in (0, 1].
    kept : float
        Share of the unlabelled identities that get a label.
    noise : Estimate or None
        Share of wrong labels among identities of the labelled table that are as sure, predicted
        by a classifier that never saw them, and its 95 % interval; None if none is as sure.
    """

    confidence: float
    kept: float
    noise: Estimate | None


@dataclass(frozen=True)
class Proposed:
    """One attribute of a table, proposed.

    Attributes
    ----------
    attribute : str
        Its name.
    classes : tuple of str
        The classes of the labelled table.
    codes : ndarray of shape (n,), int64
        Index into `classes`: a label that was there, or else a proposed one; -1 where the
        classifier is not sure enough.
    confidence : ndarray of shape (n,), float32
        Calibrated probability of the likeliest class, one value for all rows of an identity.
    given : ndarray of shape (n,), bool
        Rows whose label was there.
    at : AtConfidence
        What the threshold that was asked for keeps, and its label noise.
    by_class : dict of str to Estimate
        The same noise among those of each proposed class.
    expected_noise : float
        Mean of 1 - confidence over the proposed labels: the noise if the calibration holds here.
    measured : Estimate or None
        Share of wrong proposals among identities whose label was there, as sure as asked for: on
        this table itself, so the one to trust. None where there were none.
    curve : tuple of AtConfidence
        Other thresholds, for choosing one.
    """

    attribute: str
    classes: tuple[str, ...]
    codes: IntArray
    confidence: npt.NDArray[np.float32]
    given: npt.NDArray[np.bool_]
    at: AtConfidence
    by_class: dict[str, Estimate]
    expected_noise: float
    measured: Estimate | None
    curve: tuple[AtConfidence, ...] = field(repr=False)


@dataclass(frozen=True)
class _People:
    """Identities with what is predicted of each; all arrays have one row an identity."""

    predicted: IntArray
    confidence: FloatArray
    true: IntArray
    row_to_person: IntArray

    def noise(self, confidence: float, predicted: int | None = None) -> Estimate | None:
        """Share of wrong predictions among those whose label is known and who are as sure."""
        sure = (self.confidence >= confidence) & (self.true != UNLABELLED)
        if predicted is not None:
            sure &= self.predicted == predicted
        n = int(sure.sum())
        if not n:
            return None
        wrong = int((self.predicted[sure] != self.true[sure]).sum())
        return Estimate(wrong / n, *clopper_pearson(wrong, n), n)


def propose_labels(
    table: EmbeddingTable,
    reference: EmbeddingTable,
    attribute: str,
    *,
    confidence: float = 0.9,
    identity: str | None = None,
    reference_identity: str | None = None,
    random_state: int = 0,
) -> Proposed:
    """Label a table with a classifier fitted on another of the same network.

    The probabilities are calibrated on identities that the classifier was not fitted on. Those of
    the images of one person are averaged as logarithms: as if they were one observation, which
    errs on the careful side. Labels that `table` has are kept, and tell how well the others do.

    Parameters
    ----------
    table : EmbeddingTable
        To be labelled.
    reference : EmbeddingTable
        Labelled, and embedded by the same network.
    attribute : str
        Column of `reference`; may be in `table` too, with nulls.
    confidence : float, default=0.9
        Propose no label that is less likely than this; in (0, 1].
    identity, reference_identity : str, optional
        Identity columns; each row is its own without them.
    random_state : int, default=0
        Decides folds and kernel landmarks.

    Returns
    -------
    Proposed
        Labels, their confidence and their noise.

    Raises
    ------
    InputError
        If the tables are of different networks, a column is missing, the labels of the two do not
        agree in their names, or `reference` has too few.
    """
    if not 0 < confidence <= 1:
        raise InputError(f"confidence: expected a probability in (0, 1], found {confidence}")
    if table.dim != reference.dim:
        raise InputError(
            f"{reference.source}: expected embeddings of {table.dim} features as in "
            f"{table.source}, found {reference.dim}; embed both with the same network"
        )
    known = reference.labels(attribute).require_two_classes()
    given = _given(table, attribute, known)
    people = identity_numbers(
        None if reference_identity is None else reference.labels(reference_identity),
        len(reference),
    )
    own = identity_numbers(None if identity is None else table.identities(identity), len(table))
    probabilities = _probabilities(table, reference, known, people, random_state)
    here = _pool(probabilities[len(reference) :], own, given)
    there = _pool(probabilities[: len(reference)], people, known.codes)
    return _proposed(known, given, here, there, confidence)


def _given(table: EmbeddingTable, attribute: str, known: Labels) -> IntArray:
    """Labels that are there already, in the codes of the reference."""
    if attribute not in table.columns.column_names:
        return np.full(len(table), UNLABELLED, dtype=np.int64)
    labels = table.labels(attribute)
    present = {labels.classes[k] for k in np.unique(labels.codes[labels.labelled])}
    foreign = sorted(present - set(known.classes))
    if foreign:
        raise InputError(
            f"{table.source}: column {attribute!r}: expected labels among "
            f"{some_of(known.classes)} as in the labelled table, found "
            f"{foreign[0]!r}; rename the labels of one"
        )
    codes = np.array([
        known.classes.index(n) if n in present else UNLABELLED for n in labels.classes
    ])
    return np.append(codes, UNLABELLED)[labels.codes].astype(np.int64)


def _probabilities(
    table: EmbeddingTable,
    reference: EmbeddingTable,
    known: Labels,
    people: IntArray,
    random_state: int,
) -> npt.NDArray[np.float32]:
    """Rows of the reference, out of fold, then those of the table."""
    vectors = np.concatenate([reference.vectors, table.vectors])
    # Labels that the table has teach nothing, so that they can be used as a check.
    codes = np.concatenate([known.codes, np.full(len(table), UNLABELLED)])
    groups = np.concatenate([people, np.arange(len(table)) + people.max() + 1])
    proposals = Proposer(vectors, groups, random_state).propose(codes, len(known.classes))
    if proposals is None:
        raise InputError(
            f"{reference.source}: column {known.name!r}: expected two classes with at least "
            f"{MIN_ROWS} rows, found {known.counts()}; label more rows"
        )
    return proposals.probabilities


def _pool(probabilities: FloatArray, identity: IntArray, true: IntArray) -> _People:
    """Average what is predicted of each identity; an identity with two labels has none."""
    numbers, person = np.unique(identity, return_inverse=True)
    logs = np.zeros((len(numbers), probabilities.shape[1]))
    np.add.at(logs, person, np.log(np.maximum(probabilities, 1e-12)))
    logs /= np.bincount(person)[:, None]
    pooled = np.exp(logs - logs.max(axis=1, keepdims=True))
    pooled /= pooled.sum(axis=1, keepdims=True)
    highest = np.full(len(numbers), UNLABELLED)
    lowest = np.full(len(numbers), probabilities.shape[1])
    labelled = true != UNLABELLED
    np.maximum.at(highest, person[labelled], true[labelled])
    np.minimum.at(lowest, person[labelled], true[labelled])
    label = np.where(lowest == highest, highest, UNLABELLED)
    return _People(pooled.argmax(axis=1), pooled.max(axis=1), label, person)


def _proposed(
    known: Labels, given: IntArray, here: _People, there: _People, confidence: float
) -> Proposed:
    is_given = given != UNLABELLED
    sure = (here.confidence >= confidence)[here.row_to_person]
    proposed = np.where(sure, here.predicted[here.row_to_person], UNLABELLED)
    unlabelled = np.ones(len(here.confidence), dtype=bool)
    unlabelled[here.row_to_person[is_given]] = False
    # Of a table that has every label, all identities: what would have been proposed.
    asked = here.confidence[unlabelled] if unlabelled.any() else here.confidence

    def at(threshold: float) -> AtConfidence:
        return AtConfidence(threshold, float(np.mean(asked >= threshold)), there.noise(threshold))

    by_class = {
        name: noise
        for code, name in enumerate(known.classes)
        if (noise := there.noise(confidence, code)) is not None
    }
    accepted = asked[asked >= confidence]
    return Proposed(
        attribute=known.name,
        classes=known.classes,
        codes=np.where(is_given, given, proposed).astype(np.int64),
        confidence=here.confidence[here.row_to_person].astype(np.float32),
        given=is_given,
        at=at(confidence),
        by_class=by_class,
        expected_noise=float(np.mean(1 - accepted)) if len(accepted) else 0.0,
        measured=here.noise(confidence),
        curve=tuple(at(threshold) for threshold in CONFIDENCES),
    )
