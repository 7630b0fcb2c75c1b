"""What a reader returns: one row a photograph, and what is wrong with the copy on this disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from sensitivenets.errors import InputError


@dataclass(frozen=True)
class FaceList:
    """The photographs that a data set lists.

    Attributes
    ----------
    rows : pyarrow.Table
        ``image``, the path below `images` with forward slashes; ``subject`` where it is known;
        attributes as text, Booleans or numbers; ``split``. Null where nothing is known.
    images : Path or None
        The folder of the photographs, if it is there.
    missing : tuple of str
        Listed photographs that the folder lacks; empty without a folder.
    skipped : dict of str to str
        Files that were left out, and why.
    """

    rows: pa.Table
    images: Path | None
    missing: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.rows.num_rows)


def listed(rows: pa.Table, images: Path | None) -> FaceList:
    """Make a list of faces, looking which of them the folder lacks."""
    missing = () if images is None else absent(images, rows["image"].to_pylist())
    return FaceList(rows, images, missing)


def absent(folder: Path, images: Sequence[str]) -> tuple[str, ...]:
    """Return the images that are no files below a folder; each subfolder is read once."""
    seen: dict[str, set[str]] = {}
    lacking = []
    for image in images:
        parent, _, name = image.rpartition("/")
        if parent not in seen:
            place = folder / parent
            seen[parent] = {p.name for p in place.iterdir()} if place.is_dir() else set()
        if name not in seen[parent]:
            lacking.append(image)
    return tuple(lacking)


def require_folder(folder: Path) -> Path:
    """Refuse what is no folder.

    Raises
    ------
    InputError
        Naming it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder of the data set, found none")
    return folder


def first_there(folder: Path, names: Sequence[str]) -> Path | None:
    """Return the first of some places below a folder that exists."""
    return next((folder / name for name in names if (folder / name).exists()), None)


def require_file(folder: Path, names: Sequence[str]) -> Path:
    """Find a file under any of its usual names.

    Raises
    ------
    InputError
        Listing the names.
    """
    found = first_there(folder, names)
    if found is None:
        raise InputError(f"{folder}: expected {' or '.join(names)} in it, found none of them")
    return found


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file that are not empty, numbered from 1.

    Raises
    ------
    InputError
        If it is not UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected a text file in UTF-8; {error}") from error


def safe_path(image: str, where: str) -> str:
    """Refuse a listed path that leaves its folder; backslashes become slashes.

    Raises
    ------
    InputError
        Naming the path and where it was read.
    """
    image = image.replace("\\", "/")
    if image.startswith("/") or ".." in image.split("/") or ":" in image.split("/")[0]:
        raise InputError(f"{where}: expected a path below the folder, found {image!r}")
    return image
