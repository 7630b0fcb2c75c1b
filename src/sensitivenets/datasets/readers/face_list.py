"""What a reader returns: one row a photograph, and what is wrong with the copy on this disk."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from sensitivenets.errors import InputError

#: Section 3 of the paper: Group 1 is East and Southeast Asian; Group 2 Sub-Saharan Africa, India
#: and neighbours; Group 3 Europe, America, Middle East. A race in none of them has no group.
GROUP_OF_RACE: Mapping[str, str] = {
    "Asian": "Group 1",
    "East Asian": "Group 1",
    "Southeast Asian": "Group 1",
    "African": "Group 2",
    "Black": "Group 2",
    "Indian": "Group 2",
    "Caucasian": "Group 3",
    "White": "Group 3",
    "Middle Eastern": "Group 3",
    "Latino_Hispanic": "Group 3",
}
_NAME = re.compile(r"(.+)_(\d{4,})\.jpg", re.IGNORECASE)


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


def photograph(name: str, number: int) -> str:
    """Write the path of a person's photograph, counted from 1."""
    return f"{name}/{name}_{number:04d}.jpg"


def photographs_below(folder: Path) -> list[tuple[str, int]]:
    """List name and number of the photographs in the folders of people, sorted by path."""
    matches = ((path, _NAME.fullmatch(path.name)) for path in sorted(folder.glob("*/*.jpg")))
    return [(m[1], int(m[2])) for path, m in matches if m and m[1] == path.parent.name]


def person_line(path: Path, number: int, line: str) -> tuple[str, int]:
    """Read a person and how many photographs there are.

    Raises
    ------
    InputError
        If the line is no ``name  n``.
    """
    fields = line.split()
    if len(fields) != 2 or not fields[1].isdecimal() or "/" in fields[0]:
        raise InputError(
            f"{path}, line {number}: expected a name and a count, found {line.strip()!r}"
        )
    return fields[0], int(fields[1])
