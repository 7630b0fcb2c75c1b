"""Which rows an annotator is shown next."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensitivenets.annotation.events import Queue
from sensitivenets.annotation.ledger import Ledger, State
from sensitivenets.embeddings import FloatArray

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

#: A label of people that the classifier, out of fold, gives less than this is worth a look.
UNLIKELY = 0.05
_LEASE_SECONDS = 300.0


@dataclass(frozen=True)
class Scene:
    """All that the order of rows depends on.

    Attributes
    ----------
    ledger : Ledger
        What people decided.
    machine : ndarray of shape (n,), int64
        The label of each row had nobody looked at it, or -1.
    probabilities : ndarray of shape (n, n_classes) or None
        The classifier's; None before there is one.
    order : ndarray of shape (n,), int64
        The random order of the present round.
    """

    ledger: Ledger
    machine: IntArray
    probabilities: npt.NDArray[np.float32] | None
    order: IntArray


def waiting(scene: Scene, queue: Queue, annotator: str, only: int | None = None) -> IntArray:
    """List the rows of a queue for an annotator, the first to be shown first.

    Parameters
    ----------
    scene : Scene
        The state of things.
    queue : Queue
        ``doubt``: nobody has seen them, the least confident first. ``sweep``: the same, of one
        class. ``random``: of the round's population, in its random order. ``second``: others
        have seen them, in random order. ``disputes``: annotators disagree, then unsure ones,
        then labels of people that the classifier finds unlikely.
    annotator : str
        Who asks.
    only : int, optional
        The class of a sweep.

    Returns
    -------
    ndarray of shape (m,), int64
        Row numbers.
    """
    ledger = scene.ledger
    if queue in {Queue.LEAST_CONFIDENT, Queue.SWEEP}:
        candidates = ~ledger.seen
        if queue == Queue.SWEEP:
            candidates &= scene.machine == only
        if scene.probabilities is None:
            return scene.order[candidates[scene.order]]
        return least_confident_first(
            label_error_probability(scene.machine, scene.probabilities), candidates
        )
    if queue == Queue.RANDOM:
        candidates = ledger.population & ~ledger.seen
        return scene.order[candidates[scene.order]]
    if queue == Queue.SECOND:
        candidates = ledger.seen & ~ledger.voted(annotator) & ~ledger.settled
        return scene.order[candidates[scene.order]]
    return _disputes(scene)


def _disputes(scene: Scene) -> IntArray:
    """List the rows to settle: disagreements, then unsure ones, then unlikely labels."""
    ledger = scene.ledger
    open_rows = ~ledger.settled
    parts = [
        np.flatnonzero((ledger.states == state) & open_rows)
        for state in (State.DISPUTED, State.UNSURE)
    ]
    if scene.probabilities is not None:
        errors = label_error_probability(ledger.codes, scene.probabilities)
        decided = (ledger.states == State.DECIDED) & open_rows
        parts.append(least_confident_first(errors, decided & (errors > 1 - UNLIKELY)))
    return np.concatenate(parts)


class Leases:
    """Rows on somebody's screen, so that two annotators are not shown the same ones.

    A lease ends when its holder asks for other rows, or after five minutes.
    """

    def __init__(self) -> None:
        self._held: dict[int, tuple[str, float]] = {}

    def take(self, annotator: str, rows: IntArray, size: int) -> list[int]:
        """Lend up to `size` of the rows, in order, leaving out those that others hold."""
        now = time.monotonic()
        self._held = {
            row: lease
            for row, lease in self._held.items()
            if lease[0] != annotator and lease[1] > now
        }
        taken: list[int] = []
        for row in rows.tolist():
            if len(taken) == size:
                break
            if row not in self._held:
                taken.append(row)
        self._held |= dict.fromkeys(taken, (annotator, now + _LEASE_SECONDS))
        return taken


def label_error_probability(labels: IntArray, probabilities: FloatArray) -> FloatArray:
    """Probability that the label at hand is wrong.

    One measure for both kinds of row: a label of the table that the classifier finds unlikely
    (likely wrong), and a proposal that it is not sure of (least certain).

    Parameters
    ----------
    labels : ndarray of shape (n,)
        The label of each row, or -1.
    probabilities : ndarray of shape (n, n_classes)
        Calibrated; out of fold where the row carries a label.

    Returns
    -------
    ndarray of shape (n,)
        In [0, 1]; 1 where there is no label.
    """
    rows = np.arange(len(labels))
    return np.where(labels >= 0, 1 - probabilities[rows, np.maximum(labels, 0)], 1.0)


def least_confident_first(error_probability: FloatArray, candidates: BoolArray) -> IntArray:
    """Sort the candidates by falling error probability; ties stay in the order of the table."""
    rows = np.flatnonzero(candidates)
    return rows[np.argsort(-error_probability[rows], kind="stable")]
