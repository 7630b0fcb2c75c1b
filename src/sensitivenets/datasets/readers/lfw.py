"""Labeled Faces in the Wild: who is where, in which fold and in which development set.

Huang, Ramesh, Berg and Learned-Miller, UMass technical report 07-49, 2007. ``people.txt`` (view 2:
folds, then for each a count and ``name  n`` lines), ``peopleDevTrain.txt`` and
``peopleDevTest.txt`` (view 1). Pair lists are read by `sensitivenets.verification.read_pairs`, with
``subject`` and ``number`` of this table.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from sensitivenets.datasets.readers.face_list import (
    FaceList,
    first_there,
    listed,
    person_line,
    photograph,
    photographs_below,
    require_folder,
    text_lines,
)
from sensitivenets.errors import InputError

_IMAGES = (
    "lfw",
    "lfw_funneled",
    "lfw-funneled",
    "lfw-deepfunneled",
    "lfw-deepfunneled/lfw-deepfunneled",
)
_DEV = {"peopleDevTrain.txt": "dev_train", "peopleDevTest.txt": "dev_test"}
_Lines = list[tuple[int, str]]


def read_lfw(folder: str | Path) -> FaceList:
    """Read the people of LFW from its lists, or else from its folders.

    Parameters
    ----------
    folder : str or Path
        Holds the lists that are there, and the photographs as ``lfw/<name>/<name>_0001.jpg`` or
        ``<name>/<name>_0001.jpg``.

    Returns
    -------
    FaceList
        ``image``, ``subject``, ``number`` (of the person's photograph, from 1), ``fold`` (of view
        2, from 0; null without ``people.txt``), ``split`` (of view 1: dev_train, dev_test).

    Raises
    ------
    InputError
        If there is neither list nor photograph, a list is malformed, or lists disagree.
    """
    folder = require_folder(Path(folder))
    images = _image_folder(folder)
    counts: dict[str, int] = {}
    folds: dict[str, int] = {}
    splits: dict[str, str] = {}
    if (folder / "people.txt").is_file():
        for name, count, fold in _people(folder / "people.txt", folded=True):
            counts[name], folds[name] = count, fold
    for file, split in _DEV.items():
        if (folder / file).is_file():
            for name, count, _ in _people(folder / file, folded=False):
                if counts.setdefault(name, count) != count:
                    raise InputError(
                        f"{folder / file}: {name!r} has {count} photographs, in another list "
                        f"{counts[name]}; take all lists from one copy"
                    )
                splits[name] = split
    numbers = (
        [(name, number) for name in counts for number in range(1, counts[name] + 1)]
        if counts
        else _on_disk(folder, images)
    )
    table = pa.table({
        "image": [photograph(name, number) for name, number in numbers],
        "subject": [name for name, _ in numbers],
        "number": [number for _, number in numbers],
        "fold": pa.array([folds.get(name) for name, _ in numbers], pa.int64()),
        "split": pa.array([splits.get(name) for name, _ in numbers], pa.string()),
    })
    return listed(table, images)


def _image_folder(folder: Path) -> Path | None:
    below = first_there(folder, _IMAGES[::-1])
    if below is not None:
        return below
    return folder if any(p.is_file() for p in folder.glob("*/*_[0-9][0-9][0-9][0-9].jpg")) else None


def _on_disk(folder: Path, images: Path | None) -> list[tuple[str, int]]:
    found = photographs_below(images) if images else []
    if not found:
        raise InputError(
            f"{folder}: expected people.txt, peopleDevTrain.txt or photographs such as "
            "lfw/Aaron_Eckhart/Aaron_Eckhart_0001.jpg, found none"
        )
    return found


def _people(path: Path, *, folded: bool) -> list[tuple[str, int, int]]:
    """Name, photographs and fold of each person."""
    lines = list(text_lines(path))
    n_folds = 1
    if folded and lines:
        n_folds, lines = _count(path, *lines[0]), lines[1:]
    people: list[tuple[str, int, int]] = []
    for fold in range(n_folds):
        if not lines:
            raise InputError(f"{path}: expected {n_folds} folds, found {fold}; the file is cut off")
        n, body = _count(path, *lines[0]), lines[1:]
        if len(body) < n:
            raise InputError(
                f"{path}, line {lines[0][0]}: expected {n} people after it, found {len(body)}; the "
                "file is cut off"
            )
        people += [(*person_line(path, number, line), fold) for number, line in body[:n]]
        lines = body[n:]
    if lines:
        raise InputError(f"{path}, line {lines[0][0]}: expected no more people, found a line")
    return people


def _count(path: Path, number: int, line: str) -> int:
    if not line.strip().isdecimal():
        raise InputError(f"{path}, line {number}: expected a count, found {line.strip()!r}")
    return int(line)
