"""What people did, as it is written down: one event for each decision, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What an event says."""

    LABEL = "label"
    UNSURE = "unsure"
    ADJUDICATE = "adjudicate"
    UNDO = "undo"
    ROUND = "round"


class Queue(StrEnum):
    """Where an annotator met a row.

    In `RANDOM` and `SECOND` the label at hand is hidden, so that nobody is led by it.
    """

    # Stored and shown under the name it was first given.
    LEAST_CONFIDENT = "doubt"
    SWEEP = "sweep"
    RANDOM = "random"
    SECOND = "second"
    DISPUTES = "disputes"


@dataclass(frozen=True)
class NewEvent:
    """A decision that is not stored yet.

    Attributes
    ----------
    annotator : str
        Who decided.
    kind : Kind
        A label, unsure, a dispute settled, an undo, or a new round of random checks.
    row : int or None
        Row of the table, from 0; None for a round.
    label : str or None
        The class decided on; None unless `kind` is a label or settles a dispute.
    queue : Queue or None
        Where the row was met.
    shown : str or None
        The label that the page showed, if it did.
    confidence : float or None
        The classifier's probability of `shown`, in [0, 1].
    undoes : int or None
        `seq` of the event that an undo takes back.
    """

    annotator: str
    kind: Kind
    row: int | None = None
    label: str | None = None
    queue: Queue | None = None
    shown: str | None = None
    confidence: float | None = None
    undoes: int | None = None


@dataclass(frozen=True)
class Event(NewEvent):
    """A decision as it is stored.

    Attributes
    ----------
    seq : int
        Its place in the order of all events, from 1.
    time : str
        When it was stored: UTC, ISO 8601 with milliseconds.
    request : str
        The action of the page that it belongs to; a sweep decides many rows in one.
    """

    seq: int = 0
    time: str = ""
    request: str = ""
