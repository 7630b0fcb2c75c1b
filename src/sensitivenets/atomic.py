"""Writing files and folders so that they are there whole or not at all.

What a killed run leaves is hidden, ``.NAME.writing-xxxxxxxx`` beside NAME, and removed by the next
run that writes NAME: a run that is alive holds a lock on it.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sensitivenets.errors import InputError

try:
    import fcntl
except ImportError:  # not on Windows: nothing is locked, and nothing removed
    fcntl = None  # type: ignore[assignment]

# Linux: renameat2 with this swaps two names at once.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextmanager
def atomic_file(path: Path, *, mode: int | None = None) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block succeeds.

    Parameters
    ----------
    path : Path
        The file to make or to replace.
    mode : int, optional
        Permissions, such as 0o600; what a new file gets unless given. Until the block ends only
        the owner may read or write it.

    Yields
    ------
    Path
        Where to write. Removed if the block raises.
    """
    with _temporary(path, is_folder=False) as temporary:
        yield temporary
        temporary.chmod(0o666 & ~_umask() if mode is None else mode)
        temporary.replace(path)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; rename it to `path` if the block succeeds.

    A folder that is already there is replaced as a whole, and kept if the block raises.

    Parameters
    ----------
    path : Path
        The folder to make or to replace.

    Yields
    ------
    Path
        Where to write. Removed if the block raises.
    """
    with _temporary(path, is_folder=True) as temporary:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        if not path.exists():
            temporary.rename(path)
        # Afterwards the old folder has the temporary name, and is removed as such.
        elif not _exchange(temporary, path):
            _replace_folder(temporary, path)


@contextmanager
def _temporary(path: Path, *, is_folder: bool) -> Iterator[Path]:
    """Yield a new file or folder beside `path`, locked; remove what has its name in the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(path)
    while True:
        if is_folder:
            temporary = Path(tempfile.mkdtemp(prefix=_prefix(path), dir=path.parent))
        else:
            descriptor, name = tempfile.mkstemp(prefix=_prefix(path), dir=path.parent)
            os.close(descriptor)
            temporary = Path(name)
        lock = _lock(temporary)
        # Another run may have taken it for stale in between.
        if lock is None or temporary.exists():
            break
        os.close(lock)
    try:
        yield temporary
    finally:
        _remove(temporary)
        if lock is not None:
            os.close(lock)


def _prefix(path: Path) -> str:
    return f".{path.name}.writing-"


def _remove_stale(path: Path) -> None:
    """Remove what killed runs left beside a path."""
    left = re.compile(re.escape(_prefix(path)) + r"(old-)?[a-z0-9_]{8}")
    with suppress(OSError):
        for name in [one.name for one in os.scandir(path.parent) if left.fullmatch(one.name)]:
            found = path.parent / name
            lock = _lock(found)
            if lock is None:
                continue
            if not path.exists() and (found / path.name).exists():
                # Killed between two renames, where names cannot be exchanged.
                (found / path.name).rename(path)
            _remove(found)
            os.close(lock)


def _lock(path: Path) -> int | None:
    """Lock a file or folder until the descriptor is closed; None if that cannot be done."""
    if fcntl is None or path.is_symlink():
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names at once; False where the system or the disk cannot."""
    import ctypes

    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    names = (os.fsencode(one), os.fsencode(other))
    return bool(rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)


def _replace_folder(temporary: Path, path: Path) -> None:
    """Replace a folder in two steps; a kill in between leaves the old one beside it."""
    aside = Path(tempfile.mkdtemp(prefix=f"{_prefix(path)}old-", dir=path.parent))
    path.rename(aside / path.name)
    try:
        temporary.rename(path)
    except BaseException:
        (aside / path.name).rename(path)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def check_parent(path: Path) -> None:
    """Refuse a place where nothing can be made, before the work that would be lost.

    Parameters
    ----------
    path : Path
        A file or folder to make; missing parents are made too.

    Raises
    ------
    InputError
        If the nearest parent that exists is a file, or may not be written to; or it is a URL.
    """
    if re.match(r"(s3|gs|gcs|file):/", str(path)):
        raise InputError(
            f"{path}: expected a path on this machine, found a URL, to which this is not written; "
            "write it here and copy it there"
        )
    # The root has no parent, and is there.
    parents = [*path.absolute().parents] or [path.absolute()]
    parent = next(folder for folder in parents if folder.exists() or folder.is_symlink())
    if not parent.is_dir():
        raise InputError(f"{path}: cannot be made, {parent} is a file; choose another place")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"{path}: cannot be made, no permission to write in {parent}")


def check_table_name(path: Path) -> None:
    """Refuse a name under which no table is written.

    Raises
    ------
    InputError
        If it does not end in ``.parquet``.
    """
    if path.suffix != ".parquet":
        raise InputError(f"{path}: tables are written as .parquet; choose a name that ends so")


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
