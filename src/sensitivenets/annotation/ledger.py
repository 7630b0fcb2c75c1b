"""The state of every row, replayed from the events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from sensitivenets.annotation.events import Event, Kind
from sensitivenets.embeddings.labels import UNLABELLED

#: A decision that names no class.
UNSURE = -2


class State(IntEnum):
    """What people have made of a row."""

    UNCHECKED = 0
    DECIDED = 1
    UNSURE = 2
    DISPUTED = 3


class Ledger:
    """Who said what of each row, and what follows.

    Parameters
    ----------
    n_rows : int
        Rows of the table.
    classes : tuple of str
        The labels that may be given.

    Attributes
    ----------
    codes : ndarray of shape (n_rows,), int64
        The class decided on: settled, or said by all who named one; else -1.
    states : ndarray of shape (n_rows,), int8
        `State` of each row.
    seq : int
        The last event taken in.
    rounds : int
        Rounds of random checks that were begun on purpose.
    population : ndarray of shape (n_rows,), bool
        Rows that nobody had seen when the present round began.
    """

    def __init__(self, n_rows: int, classes: tuple[str, ...]) -> None:
        self.codes = np.full(n_rows, UNLABELLED, dtype=np.int64)
        self.states = np.zeros(n_rows, dtype=np.int8)
        self.population: npt.NDArray[np.bool_] = np.ones(n_rows, dtype=bool)
        self.seq = 0
        self.rounds = 0
        self._code_of = {name: code for code, name in enumerate(classes)}
        # By row and annotator, the decisions that stand, the latest last.
        self._votes: dict[int, dict[str, list[Event]]] = defaultdict(lambda: defaultdict(list))
        self._settled: dict[int, list[Event]] = defaultdict(list)
        self._latest: dict[str, dict[int, int]] = defaultdict(dict)
        self._standing: dict[str, dict[int, Event]] = defaultdict(dict)

    @property
    def seen(self) -> npt.NDArray[np.bool_]:
        """Mask of the rows that anyone decided on, or was unsure about."""
        return np.not_equal(self.states, State.UNCHECKED)

    def replay(self, events: Iterable[Event]) -> None:
        """Take in events, in order; those known already are passed over."""
        for event in events:
            if event.seq > self.seq:
                self._apply(event)
                self.seq = event.seq

    def votes_of(self, row: int) -> dict[str, int]:
        """Say what each annotator last said of a row: a class, or `UNSURE`."""
        return {name: self._code(stack[-1]) for name, stack in self._voters(row).items() if stack}

    def settled_by(self, row: int) -> str | None:
        """Name who settled the dispute about a row, if anyone did."""
        stack = self._settled.get(row)
        return stack[-1].annotator if stack else None

    def time_of(self, row: int) -> str | None:
        """Say when the last decision that stands on a row was made."""
        stacks = [*self._voters(row).values(), self._settled.get(row, [])]
        return max((stack[-1].time for stack in stacks if stack), default=None)

    def votes(self) -> dict[str, dict[int, int]]:
        """For each annotator, what they last said of each row; a dispute settled is no vote."""
        return {name: dict(latest) for name, latest in self._latest.items() if latest}

    def voted(self, annotator: str) -> npt.NDArray[np.bool_]:
        """Mask of the rows that an annotator has a vote on."""
        mask = np.zeros(len(self.codes), dtype=bool)
        mask[list(self._latest.get(annotator, ()))] = True
        return mask

    @property
    def settled(self) -> npt.NDArray[np.bool_]:
        """Mask of the rows whose dispute was settled."""
        mask = np.zeros(len(self.codes), dtype=bool)
        mask[[row for row, stack in self._settled.items() if stack]] = True
        return mask

    def last_action(self, annotator: str) -> list[Event]:
        """Return the decisions of an annotator's last action that still stand; undo takes these."""
        standing = self._standing[annotator]
        if not standing:
            return []
        request = standing[max(standing)].request
        return [event for event in standing.values() if event.request == request]

    def n_decisions(self) -> dict[str, int]:
        """Count the decisions of each annotator that stand."""
        return {name: len(standing) for name, standing in self._standing.items() if standing}

    def _voters(self, row: int) -> dict[str, list[Event]]:
        # Not self._votes[row]: asking must not make an entry.
        return self._votes.get(row, {})

    def _apply(self, event: Event) -> None:
        if event.kind == Kind.ROUND:
            self.rounds += 1
            self.population = ~self.seen
            return
        assert event.row is not None
        if event.kind == Kind.UNDO:
            self._undo(event)
        else:
            settles = event.kind == Kind.ADJUDICATE
            stack = self._settled[event.row] if settles else self._votes[event.row][event.annotator]
            stack.append(event)
            self._standing[event.annotator][event.seq] = event
        votes = self._votes[event.row][event.annotator]
        if votes:
            self._latest[event.annotator][event.row] = self._code(votes[-1])
        else:
            self._latest[event.annotator].pop(event.row, None)
        self._resolve(event.row)

    def _undo(self, event: Event) -> None:
        assert event.row is not None
        for stack in (self._settled[event.row], self._votes[event.row][event.annotator]):
            stack[:] = [one for one in stack if one.seq != event.undoes]
        self._standing[event.annotator].pop(event.undoes or 0, None)

    def _resolve(self, row: int) -> None:
        settled = self._settled.get(row)
        votes = self.votes_of(row).values()
        named = {code for code in votes if code != UNSURE}
        if settled:
            code = self._code(settled[-1])
        elif len(named) == 1:
            code = next(iter(named))
        else:
            code = UNSURE if votes else UNLABELLED
        self.codes[row] = max(code, UNLABELLED)
        if code >= 0:
            self.states[row] = State.DECIDED
        elif not votes and not settled:
            self.states[row] = State.UNCHECKED
        else:
            self.states[row] = State.DISPUTED if len(named) > 1 and not settled else State.UNSURE

    def _code(self, event: Event) -> int:
        return UNSURE if event.label is None else self._code_of[event.label]
