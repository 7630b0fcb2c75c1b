"""One attribute of one table being labelled: what the page asks for and what it changes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from sensitivenets.annotation import queues
from sensitivenets.annotation.agreement import Agreement, agreements
from sensitivenets.annotation.decisions import Decision
from sensitivenets.annotation.events import Event, Kind, NewEvent, Queue
from sensitivenets.annotation.images import RowImages
from sensitivenets.annotation.label_error import Checks, LabelError, label_error
from sensitivenets.annotation.learner import Learner, Trainer
from sensitivenets.annotation.ledger import UNSURE, Ledger, State
from sensitivenets.annotation.proposals import IntArray, Proposals, Proposer
from sensitivenets.annotation.store import LabelStore
from sensitivenets.embeddings.labels import UNLABELLED

#: Queues that hide the label at hand.
BLIND = frozenset({Queue.RANDOM, Queue.SECOND})
_REASONS = {
    State.DISPUTED: "annotators disagree",
    State.UNSURE: "unsure",
    State.DECIDED: "the classifier finds it unlikely",
    State.UNCHECKED: "",
}


class Labelling:
    """Joins the store, what follows from it, the classifier and the pictures.

    Parameters
    ----------
    store : LabelStore
        Where decisions are kept.
    given : ndarray of shape (n,), int64
        The label that the table gives each row, as an index into the store's classes, or -1.
    proposer : Proposer
        Fits the classifier.
    names : sequence of str
        What to call each row.
    images : RowImages, optional
        The pictures.
    """

    def __init__(
        self,
        store: LabelStore,
        given: IntArray,
        proposer: Proposer,
        names: Sequence[str],
        images: RowImages | None = None,
    ) -> None:
        self.store = store
        self.task = store.task
        self.given = given
        self.names = names
        self.images = images
        self.proposals: Proposals | None = store.proposals(len(self.task.classes))
        self.trainer = Trainer(self._train)
        self._proposer, self._learner = proposer, Learner(proposer)
        self._ledger = Ledger(self.task.n_rows, self.task.classes)
        self._leases = queues.Leases()
        self._lock = threading.RLock()
        self._order = (-1, np.empty(0, dtype=np.int64))
        self._agreements: tuple[int, list[Agreement]] = (-1, [])

    @property
    def ledger(self) -> Ledger:
        """What people decided, with what other processes have stored meanwhile."""
        with self._lock:
            self._ledger.replay(self.store.events(self._ledger.seq))
            return self._ledger

    @property
    def machine(self) -> IntArray:
        """The label of each row had nobody looked at it: the table's, else the classifier's."""
        proposals = self.proposals
        if proposals is None:
            return self.given
        return np.where(self.given != UNLABELLED, self.given, proposals.codes)

    def start(self) -> None:
        """Let the classifier learn in the background; what it last proposed holds meanwhile."""
        self.trainer.start()

    def stop(self) -> None:
        """End the learning, whatever it is at."""
        self._learner.close()
        self.trainer.stop()

    def batch(
        self, queue: Queue, annotator: str, size: int, only: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the next rows for an annotator, ready for the page."""
        with self._lock:
            rows = queues.waiting(self._scene(), queue, annotator, only)
            if queue == Queue.DISPUTES:
                taken = rows[:size].tolist()
            else:
                taken = self._leases.take(annotator, rows, size)
            return [self._item(row, queue) for row in taken]

    def decide(
        self, annotator: str, queue: Queue, request: str, decisions: Sequence[Decision]
    ) -> list[Event]:
        """Store decisions; when this returns they are on disk."""
        with self._lock:
            ledger = self.ledger
            events = [
                NewEvent(
                    annotator,
                    _kind(ledger, queue, one),
                    one.row,
                    one.label,
                    queue,
                    one.shown,
                    self._confidence(one.row, one.shown),
                )
                for one in decisions
            ]
            stored = self.store.append(request, events)
            self.trainer.notice(len(stored))
            return stored

    def undo(self, annotator: str, request: str) -> list[dict[str, Any]]:
        """Take back an annotator's last action; the rows come back as they were shown."""
        with self._lock:
            taken_back = self.ledger.last_action(annotator)
            queue_of = {event.row: event.queue or Queue.LEAST_CONFIDENT for event in taken_back}
            undoing = [
                NewEvent(annotator, Kind.UNDO, event.row, queue=event.queue, undoes=event.seq)
                for event in taken_back
            ]
            stored = self.store.append(request, undoing)
            self.trainer.notice(len(stored))
            rows = [event.row for event in stored if event.row is not None]
            return [self._item(row, queue_of.get(row, Queue.LEAST_CONFIDENT)) for row in rows]

    def begin_round(self, annotator: str, request: str) -> None:
        """Draw the random checks anew, from the rows that nobody has seen by now."""
        with self._lock:
            self.store.append(request, [NewEvent(annotator, Kind.ROUND)])

    def label_error(self) -> LabelError | None:
        """Estimate how many labels are still wrong."""
        with self._lock:
            scene = self._scene()
            ledger = scene.ledger
            return label_error(
                Checks(scene.machine, ledger.codes, ledger.seen, ledger.population, scene.order)
            )

    def agreements(self) -> list[Agreement]:
        """Compare the annotators that share rows."""
        with self._lock:
            ledger = self.ledger
            if self._agreements[0] != ledger.seq:
                found = agreements(ledger.votes(), len(self.task.classes))
                self._agreements = (ledger.seq, found)
            return self._agreements[1]

    def final(self) -> IntArray:
        """Return the label of each row: people's, else the machine's; -1 if undecided."""
        with self._lock:
            ledger = self.ledger
            return np.where(ledger.seen, ledger.codes, self.machine)

    def sizes(self, annotator: str) -> dict[str, int]:
        """Count the rows that wait in each queue."""
        with self._lock:
            scene = self._scene()
            chosen = (Queue.LEAST_CONFIDENT, Queue.RANDOM, Queue.SECOND, Queue.DISPUTES)
            return {queue: len(queues.waiting(scene, queue, annotator)) for queue in chosen}

    def train(self) -> Proposals | None:
        """Fit the classifier on all that is known, and keep what it proposes."""
        return self._fit(self._proposer)

    def _train(self) -> None:
        self._fit(self._learner)

    def _fit(self, proposer: Proposer | Learner) -> Proposals | None:
        with self._lock:
            ledger = self.ledger
            codes, seen = np.where(ledger.seen, ledger.codes, self.given), ledger.seq
        made = proposer.propose(codes, len(self.task.classes))
        if made is not None:
            made = Proposals(made.probabilities, made.n_labelled, made.accuracy, seen)
            self.store.save_proposals(made)
            with self._lock:
                self.proposals = made
        return made

    def _scene(self) -> queues.Scene:
        ledger = self.ledger
        if self._order[0] != ledger.rounds:
            rng = np.random.default_rng([self.task.random_state, ledger.rounds])
            self._order = (ledger.rounds, rng.permutation(self.task.n_rows))
        probabilities = None if self.proposals is None else self.proposals.probabilities
        return queues.Scene(ledger, self.machine, probabilities, self._order[1])

    def _confidence(self, row: int, label: str | None) -> float | None:
        if self.proposals is None or label is None:
            return None
        return float(self.proposals.probabilities[row, self.task.classes.index(label)])

    def _item(self, row: int, queue: Queue) -> dict[str, Any]:
        """Return what the page may know of a row; in a blind queue, no label."""
        has_image = self.images is not None and self.images.has(row)
        item = {"row": row, "name": self.names[row], "image": has_image, "label": None}
        if queue in BLIND:
            return item
        ledger = self._ledger
        code = int(self.given[row])
        source = "table"
        if code == UNLABELLED and self.proposals is not None:
            code, source = int(np.argmax(self.proposals.probabilities[row])), "proposed"
        if queue == Queue.DISPUTES:
            code, source = int(ledger.codes[row]), "people"
            item["votes"] = [
                [name, None if vote == UNSURE else self.task.classes[vote]]
                for name, vote in ledger.votes_of(row).items()
            ]
            item["reason"] = _REASONS[State(ledger.states[row])]
        if code == UNLABELLED:
            return item
        label = self.task.classes[code]
        return item | {"label": label, "source": source, "confidence": self._confidence(row, label)}


def _kind(ledger: Ledger, queue: Queue, decision: Decision) -> Kind:
    if queue == Queue.DISPUTES:
        # A first label for a row that was unsure is a vote like any other; all else is a verdict.
        opens = ledger.states[decision.row] == State.UNSURE and decision.label is not None
        return Kind.LABEL if opens else Kind.ADJUDICATE
    return Kind.UNSURE if decision.label is None else Kind.LABEL
