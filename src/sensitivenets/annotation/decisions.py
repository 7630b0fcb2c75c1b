"""What the page sends, checked before anything is done with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sensitivenets.annotation.events import Queue
from sensitivenets.annotation.store import LabellingTask
from sensitivenets.errors import InputError

#: Rows that one action may decide on.
MAX_DECISIONS = 500
_MAX_NAME = 64
_MAX_REQUEST = 100


@dataclass(frozen=True)
class Decision:
    """One decision on one row.

    Attributes
    ----------
    row : int
        From 0.
    label : str or None
        The class; None for unsure.
    shown : str or None
        The label that the page showed beside the picture.
    """

    row: int
    label: str | None
    shown: str | None = None


def read_annotator(value: Any) -> str:
    """Check the name of an annotator.

    Raises
    ------
    InputError
        If it is no text of 1 to 64 printable characters.
    """
    name = value.strip() if isinstance(value, str) else ""
    if not name or len(name) > _MAX_NAME or not name.isprintable():
        raise InputError(f"annotator: expected a name of 1 to {_MAX_NAME} printable characters")
    return name


def read_request(value: Any) -> str:
    """Check the name of an action, which the page makes up.

    Raises
    ------
    InputError
        If it is no text of 8 to 100 printable characters.
    """
    if not isinstance(value, str) or not 8 <= len(value) <= _MAX_REQUEST or not value.isprintable():
        raise InputError(f"request: expected text of 8 to {_MAX_REQUEST} printable characters")
    return value


def read_queue(value: Any) -> Queue:
    """Check the name of a queue.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    try:
        return Queue(value)
    except ValueError:
        raise InputError(f"queue: expected one of {', '.join(Queue)}") from None


def read_class(value: Any, task: LabellingTask) -> str | None:
    """Check a label; None passes.

    Raises
    ------
    InputError
        If it is no class of the task.
    """
    if value is None:
        return None
    if not isinstance(value, str) or value not in task.classes:
        raise InputError(f"label: expected one of {', '.join(task.classes)}, or null")
    return value


def read_decisions(values: Any, task: LabellingTask) -> list[Decision]:
    """Check a list of decisions.

    Raises
    ------
    InputError
        If it is none, empty, too long, decides a row twice, or names a row or class that is not.
    """
    if not isinstance(values, list) or not 0 < len(values) <= MAX_DECISIONS:
        raise InputError(f"decisions: expected a list of 1 to {MAX_DECISIONS}")
    decisions = [_read_decision(value, task) for value in values]
    if len({one.row for one in decisions}) < len(decisions):
        raise InputError("decisions: expected each row once")
    return decisions


def _read_decision(value: Any, task: LabellingTask) -> Decision:
    if not isinstance(value, Mapping) or "label" not in value:
        raise InputError("decision: expected an object with row and label")
    row = value.get("row")
    if not isinstance(row, int) or isinstance(row, bool) or not 0 <= row < task.n_rows:
        raise InputError(f"row: expected a whole number from 0 to {task.n_rows - 1}")
    label, shown = (read_class(value.get(key), task) for key in ("label", "shown"))
    return Decision(row, label, shown)
