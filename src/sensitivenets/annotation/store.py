"""The store of decisions: SQLite with a write-ahead log, append only."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from sensitivenets.annotation.events import Event, Kind, NewEvent, Queue
from sensitivenets.annotation.proposals import Proposals
from sensitivenets.annotation.store_file import APPLICATION, BUSY, in_words, refuse_foreign
from sensitivenets.atomic import check_parent
from sensitivenets.errors import InputError

_FORMAT = 1
_SCHEMA = """
CREATE TABLE task (attribute TEXT NOT NULL, classes TEXT NOT NULL, n_rows INTEGER NOT NULL,
  table_sha256 TEXT NOT NULL, random_state INTEGER NOT NULL) STRICT;
CREATE TABLE events (annotator TEXT NOT NULL, kind TEXT NOT NULL, row INTEGER, label TEXT,
  queue TEXT, shown TEXT, confidence REAL, undoes INTEGER REFERENCES events (seq),
  seq INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, request TEXT NOT NULL,
  place INTEGER NOT NULL, UNIQUE (request, place)) STRICT;
CREATE TABLE proposals (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), made TEXT NOT NULL,
  arrays BLOB NOT NULL) STRICT;
CREATE TRIGGER events_stay BEFORE UPDATE ON events
  BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER events_remain BEFORE DELETE ON events
  BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
"""
_COLUMNS = ", ".join(field.name for field in fields(Event))


@dataclass(frozen=True)
class LabellingTask:
    """What is labelled.

    Attributes
    ----------
    attribute : str
        The column, such as ``"gender"``.
    classes : tuple of str
        The labels that may be given.
    n_rows : int
        Rows of the table.
    table_sha256 : str
        Digest of its embeddings (see `fingerprint`): labels belong to one table.
    random_state : int
        Decides the order of the random checks.
    """

    attribute: str
    classes: tuple[str, ...]
    n_rows: int
    table_sha256: str
    random_state: int = 0


class LabelStore:
    """Decisions on one attribute of one table, in one SQLite file.

    Several threads, and several processes, may use one file at once.

    Parameters
    ----------
    path : Path
        Made if it is not there.
    task : LabellingTask
        What is labelled; must be what the file was made for. Classes may be added.
    earlier : callable, optional
        Returns the checksum of the table as versions before its `fingerprint` computed it; asked
        for a file of theirs alone.

    Raises
    ------
    InputError
        If the file is no store, damaged, or of another table, attribute or set of classes.
    """

    def __init__(
        self, path: Path, task: LabellingTask, earlier: Callable[[], str] | None = None
    ) -> None:
        self.path = path
        self._lock = threading.RLock()
        refuse_foreign(path)
        check_parent(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Transactions are opened by _transaction alone.
        with in_words(path):
            self._base = sqlite3.connect(
                path, timeout=BUSY, isolation_level=None, check_same_thread=False
            )
        try:
            with in_words(path):
                self._prepare(task, earlier)
                self._check_events()
        except BaseException:
            self._base.close()
            raise

    def append(self, request: str, events: Sequence[NewEvent]) -> list[Event]:
        """Write events; when this returns they are on disk, all of them.

        Parameters
        ----------
        request : str
            Names the action. A second call with the same name writes nothing, so that a page
            whose answer was lost may ask again.
        events : sequence of NewEvent
            In order.

        Returns
        -------
        list of Event
            As stored, by this call or by the first one.
        """
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._transaction():
            if not self._stored(request):
                self._base.executemany(
                    "INSERT INTO events (annotator, kind, row, label, queue, shown, confidence, "
                    "undoes, time, request, place) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [(*astuple(one), time, request, place) for place, one in enumerate(events)],
                )
            return self._stored(request)

    def events(self, after: int = 0) -> list[Event]:
        """Read the events with a `seq` above `after`, in order."""
        with self._lock, in_words(self.path):
            return self._select("seq > ?", after)

    def save_proposals(self, proposals: Proposals) -> None:
        """Keep what the classifier proposes, instead of what it proposed before."""
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **proposals.arrays())
        made = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._transaction():
            self._base.execute(
                "INSERT OR REPLACE INTO proposals VALUES (1, ?, ?)", (made, buffer.getvalue())
            )

    def proposals(self, n_classes: int) -> Proposals | None:
        """Read what the classifier last proposed; None if nothing, or for other classes."""
        with self._lock, in_words(self.path):
            found = self._base.execute("SELECT arrays FROM proposals").fetchone()
        if found is None:
            return None
        try:
            with np.load(io.BytesIO(found[0]), allow_pickle=False) as arrays:
                proposals = Proposals.from_arrays(arrays)
        except (ValueError, KeyError, OSError, EOFError, TypeError, zipfile.BadZipFile):
            return None  # damaged: it is made again with the next labels
        shape = proposals.probabilities.shape
        return proposals if shape == (self.task.n_rows, n_classes) else None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()

    def _stored(self, request: str) -> list[Event]:
        return self._select("request = ?", request)

    def _select(self, condition: str, value: int | str) -> list[Event]:
        rows = self._base.execute(
            f"SELECT {_COLUMNS} FROM events WHERE {condition} ORDER BY seq",
            (value,),
        )
        return [self._event(*row) for row in rows]

    def _event(
        self, who: str, kind: str, row: int | None, label: str | None, queue: str, *rest: Any
    ) -> Event:
        task = self.task
        try:
            event = Event(who, Kind(kind), row, label, Queue(queue) if queue else None, *rest)
        except ValueError as error:
            raise InputError(f"{self.path}: damaged: {error}") from error
        # Another process may have added a class since.
        if not (row is None or 0 <= row < task.n_rows):
            raise InputError(f"{self.path}: damaged: a label of row {row} of {task.n_rows}")
        return event

    def _check_events(self) -> None:
        """Refuse a store whose pages or events are not as they were written."""
        found = self._base.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise InputError(f"{self.path}: damaged: {found}; restore it from a copy")
        for event in self._select("seq > ?", 0):
            if event.label is not None and event.label not in self.task.classes:
                raise InputError(f"{self.path}: damaged: a label {event.label!r:.40} of no class")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, in_words(self.path):
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")

    def _prepare(self, task: LabellingTask, earlier: Callable[[], str] | None) -> None:
        self._base.execute("PRAGMA journal_mode = WAL")
        # FULL: what was acknowledged survives a power cut too, not only a kill.
        self._base.execute("PRAGMA synchronous = FULL")
        self._base.execute("PRAGMA foreign_keys = ON")
        with self._transaction():
            application = self._base.execute("PRAGMA application_id").fetchone()[0]
            empty = not self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if empty:
                self._create(task)
            elif application != APPLICATION:
                raise InputError(f"{self.path}: expected a store of labels, found another database")
            self._check(task, earlier)

    def _create(self, task: LabellingTask) -> None:
        for statement in _statements(_SCHEMA):
            self._base.execute(statement)
        self._base.execute(f"PRAGMA application_id = {APPLICATION}")
        self._base.execute(f"PRAGMA user_version = {_FORMAT}")
        self._base.execute(
            "INSERT INTO task VALUES (?, ?, ?, ?, ?)",
            (
                task.attribute,
                json.dumps(task.classes),
                task.n_rows,
                task.table_sha256,
                task.random_state,
            ),
        )

    def _check(self, task: LabellingTask, earlier: Callable[[], str] | None) -> None:
        version = self._base.execute("PRAGMA user_version").fetchone()[0]
        if version != _FORMAT:
            raise InputError(
                f"{self.path}: expected format {_FORMAT}, found {version}; use the version of "
                "sensitivenets that made it"
            )
        tasks = self._base.execute("SELECT * FROM task").fetchall()
        try:
            ((attribute, classes, n_rows, sha256, random_state),) = tasks
            kept = tuple(map(str, json.loads(classes)))
        except (ValueError, TypeError) as error:
            raise InputError(
                f"{self.path}: damaged: it does not say what was labelled; restore it from a copy, "
                "or name another file with --labels"
            ) from error
        # A digest that does not name its algorithm is of an earlier version.
        mine = task.table_sha256 if earlier is None or ":" in sha256 else earlier()
        if (attribute, n_rows, sha256) != (task.attribute, task.n_rows, mine):
            raise InputError(
                f"{self.path}: holds labels of {attribute!r} on a table of {n_rows} rows "
                f"(sha256 {_short(sha256)}), not of {task.attribute!r} on this one of "
                f"{task.n_rows} ({_short(mine)}); name another file with --labels"
            )
        added = tuple(name for name in task.classes if name not in kept)
        if set(kept) - set(task.classes):
            raise InputError(
                f"{self.path}: its classes are {', '.join(kept)}; expected all of them, found "
                f"only {', '.join(task.classes)}; add the others with --class"
            )
        # New classes go behind: the page's number keys keep their meaning.
        self.task = LabellingTask(attribute, kept + added, n_rows, sha256, random_state)
        if added:
            self._base.execute("UPDATE task SET classes = ?", (json.dumps(self.task.classes),))


def _short(digest: str) -> str:
    return digest.rpartition(":")[2][:12]


def _statements(script: str) -> Iterator[str]:
    # executescript would commit the transaction first.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
