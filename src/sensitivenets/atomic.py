"""Writing files and folders so that they are there whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sensitivenets.errors import InputError


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
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask() if mode is None else mode)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        if path.exists():
            # rename cannot replace a folder that is not empty: move the old one aside first.
            aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
            path.rename(aside / path.name)
            try:
                temporary.rename(path)
            except BaseException:
                (aside / path.name).rename(path)
                raise
            finally:
                shutil.rmtree(aside, ignore_errors=True)
        else:
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_parent(path: Path) -> None:
    """Refuse a place where nothing can be made, before the work that would be lost.

    Parameters
    ----------
    path : Path
        A file or folder to make; missing parents are made too.

    Raises
    ------
    InputError
        If the nearest parent that exists is a file, or may not be written to.
    """
    parents = path.absolute().parents
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
