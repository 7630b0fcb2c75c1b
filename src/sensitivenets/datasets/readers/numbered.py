"""Photographs numbered within their person, as LFW and RFW: ``<name>/<name>_0001.jpg``."""

from __future__ import annotations

import re
from pathlib import Path

from sensitivenets.errors import InputError

_NAME = re.compile(r"(.+)_(\d{4,})\.jpg", re.IGNORECASE)


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
