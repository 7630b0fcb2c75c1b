"""The picture of each row: found once, served by row number, never by a path from outside."""

from __future__ import annotations

import io
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from sensitivenets.errors import InputError
from sensitivenets.faces.images import SUFFIXES, read_image

#: Longest side of a picture on the page, in pixels.
SIDE = 256
# Small files that browsers draw go out as they are.
_AS_IT_IS = 100_000
_SIGNATURES = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))
# How much of its surroundings a face is shown with, as a share of its box.
_MARGIN = 0.25

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class SentImage:
    """One picture as it is sent.

    Attributes
    ----------
    content : bytes
        JPEG or PNG.
    media_type : str
        ``image/jpeg`` or ``image/png``.
    """

    content: bytes
    media_type: str


class RowImages:
    """Finds and reads the picture of a row.

    Parameters
    ----------
    folder : Path
        Searched with its subfolders. Symbolic links that lead out of it are not followed.
    names : sequence
        For each row: a path below the folder, a file name, a file name without its ending, or a
        number that such a name reads as (1 finds ``000001.jpg``); None for no picture.
    boxes : sequence of (left, top, width, height), optional
        Where the face is, in pixels; the picture is cut around it.

    Raises
    ------
    InputError
        If there is no such folder, or no row has a picture in it.
    """

    def __init__(
        self, folder: Path, names: Sequence[Any], boxes: Sequence[Box | None] | None = None
    ) -> None:
        if not folder.is_dir():
            raise InputError(f"{folder}: expected a folder of images")
        self._root = folder.resolve()
        found = _index(folder)
        self._paths = [_find(found, name) for name in names]
        self._boxes = boxes
        if not any(self._paths):
            example = next((name for name in names if name is not None), None)
            raise InputError(
                f"{folder}: no row has an image there; row names are such as {example!r}, files "
                f"such as {next(iter(found), 'none')!r}; name the right column with --image"
            )
        # Per object: a cache on the method would keep every object alive.
        self._shrunk = lru_cache(maxsize=512)(self._shrink)

    def __len__(self) -> int:
        return sum(path is not None for path in self._paths)

    def has(self, row: int) -> bool:
        """Say whether a file was found for the row."""
        return self._paths[row] is not None

    def read(self, row: int) -> SentImage | None:
        """Read the picture of a row.

        Parameters
        ----------
        row : int
            From 0.

        Returns
        -------
        SentImage or None
            None if the row has none, it is no readable image, or leads out of the folder.
        """
        path = self._paths[row] if 0 <= row < len(self._paths) else None
        if path is None:
            return None
        try:
            # Again at each reading: what a name leads to may have changed.
            resolved = Path(path).resolve(strict=True)
            if not resolved.is_relative_to(self._root) or not resolved.is_file():
                return None
            if self._box(row) is None and resolved.stat().st_size <= _AS_IT_IS:
                content = resolved.read_bytes()
                for signature, media_type in _SIGNATURES:
                    if content.startswith(signature):
                        return SentImage(content, media_type)
            return self._shrunk(row, resolved, resolved.stat().st_mtime_ns)
        except (OSError, InputError):
            return None

    def _box(self, row: int) -> Box | None:
        return self._boxes[row] if self._boxes is not None else None

    def _shrink(self, row: int, path: Path, modified: int) -> SentImage:
        del modified  # part of the key of the cache
        from PIL import Image

        image = Image.fromarray(read_image(path))
        box = self._box(row)
        if box is not None:
            left, top, width, height = box
            side = max(width, height) * (0.5 + _MARGIN)
            x, y = left + width / 2, top + height / 2
            image = image.crop((round(x - side), round(y - side), round(x + side), round(y + side)))
        image.thumbnail((SIDE, SIDE))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=88)
        return SentImage(buffer.getvalue(), "image/jpeg")


def _index(folder: Path) -> dict[str | int, str | None]:
    """Map every name a file may be called by to its path; None where two files share a name."""
    named: dict[str | int, set[str]] = defaultdict(set)
    full: dict[str | int, str | None] = {}
    for parent, folders, files in os.walk(folder, followlinks=False):
        folders.sort()
        below = Path(parent).relative_to(folder).as_posix()
        for name in files:
            # Text, no Path: there may be a million.
            stem, ending = os.path.splitext(name)  # noqa: PTH122
            if ending.lower() not in SUFFIXES:
                continue
            path = f"{parent}/{name}"
            full[name if below == "." else f"{below}/{name}"] = path
            names: list[str | int] = [name, stem]
            if stem.isdecimal():
                names.append(int(stem))
            for short in names:
                named[short].add(path)
    # A full path wins over a short name.
    for key, paths in named.items():
        full.setdefault(key, next(iter(paths)) if len(paths) == 1 else None)
    return full


def _find(found: dict[str | int, str | None], name: Any) -> str | None:
    return found.get(name) if isinstance(name, (str, int)) else None
