"""The file of a store before it is opened, and what SQLite may refuse while it is open."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from sensitivenets.errors import InputError

#: "snLb": tells a store from any other SQLite file.
APPLICATION = 0x736E4C62
# Seconds to wait for another process; a decision takes hundredths.
BUSY = 3.0
_MAGIC = b"SQLite format 3\0"
_HEADER = 100


class StoreUnavailableError(InputError):
    """A store cannot be read or written now: another process holds it, or the disk is full."""


def refuse_foreign(path: Path) -> None:
    """Refuse what is no store of labels, without changing it.

    Parameters
    ----------
    path : Path
        What may become, or is, a store; nothing, or an empty file or database, is fine.

    Raises
    ------
    InputError
        If it is a folder, a pipe, another kind of file, or a database of another program.
    """
    try:
        about = path.stat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(about.st_mode):
        kind = "a folder" if stat.S_ISDIR(about.st_mode) else "no regular file"
        raise InputError(f"{path}: expected a file for the labels, found {kind}")
    if about.st_size == 0:
        return
    with path.open("rb") as file:
        header = file.read(_HEADER)
    if not header.startswith(_MAGIC):
        raise InputError(f"{path}: expected a store of labels (SQLite), found another file")
    if int.from_bytes(header[68:72], "big") != APPLICATION and not _is_empty_or_ours(path):
        raise InputError(f"{path}: expected a store of labels, found another database")


def _is_empty_or_ours(path: Path) -> bool:
    """Look into a database, read-only: a store that was killed early has its header in the log."""
    # Without a log there is nothing to lock, and no file has to be made beside it.
    alone = not path.with_name(f"{path.name}-wal").exists()
    address = path.absolute().as_uri() + ("?mode=ro&immutable=1" if alone else "?mode=ro")
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=BUSY)) as base:
            ours = base.execute("PRAGMA application_id").fetchone()[0] == APPLICATION
            return ours or not base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected a store of labels (SQLite); {error}") from error


def unavailable(path: Path, error: sqlite3.Error) -> InputError:
    """Return an error that says why SQLite refuses a store."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    # The lower byte is the kind, the upper one the detail.
    if code & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreUnavailableError(f"{path}: busy: another process holds it; try again")
    if code & 0xFF in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}:
        return StoreUnavailableError(f"{path}: cannot be written: {error}; make room and try again")
    return InputError(f"{path}: expected a store of labels (SQLite), undamaged; {error}")


@contextlib.contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Turn an error of SQLite into one that says what to do."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise  # of our making
    except sqlite3.Error as error:
        raise unavailable(path, error) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: damaged: text that is no UTF-8; restore it from a copy"
        ) from error
