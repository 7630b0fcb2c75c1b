"""VGGFace2: nine thousand identities with a gender each.

Cao, Shen, Xie, Parkhi and Zisserman, VGGFace2, FG 2018. ``identity_meta.csv`` has a space after
each comma and names in quotes: ``n000001, "14th_Dalai_Lama", 424, 0, m``; ``train_list.txt`` and
``test_list.txt`` have a photograph a line: ``n000002/0001_01.jpg``.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa

from sensitivenets.datasets.readers.face_list import (
    FaceList,
    first_there,
    listed,
    require_file,
    require_folder,
    safe_path,
    text_lines,
)
from sensitivenets.errors import InputError

_META = ("identity_meta.csv", "meta/identity_meta.csv")
_LISTS = {
    "train": ("train_list.txt", "meta/train_list.txt"),
    "test": ("test_list.txt", "meta/test_list.txt"),
}
_GENDERS = {"m": "Male", "f": "Female"}
_FIELDS = 5


def read_vggface2(folder: str | Path) -> FaceList:
    """Read the lists of VGGFace2, both or one of them, with each identity's gender.

    Parameters
    ----------
    folder : str or Path
        Holds ``identity_meta.csv``, ``train_list.txt`` and ``test_list.txt``, in it or in
        ``meta``; and ``train`` and ``test`` where the photographs are there.

    Returns
    -------
    FaceList
        ``image`` (``train/n000002/0001_01.jpg``), ``subject``, ``name``, ``gender``, ``split``.

    Raises
    ------
    InputError
        If a file is missing, a line is malformed, or an identity has no gender.
    """
    folder = require_folder(Path(folder))
    people = _people(require_file(folder, _META))
    columns: dict[str, list[str]] = {
        name: [] for name in ("image", "subject", "name", "gender", "split")
    }
    for split, names in _LISTS.items():
        path = first_there(folder, names)
        for number, line in () if path is None else text_lines(path):
            where = f"{path}, line {number}"
            image = safe_path(line.strip(), where)
            subject = image.partition("/")[0]
            if subject not in people or "/" not in image:
                raise InputError(
                    f"{where}: expected a photograph of an identity of identity_meta.csv, such as "
                    f"n000002/0001_01.jpg, found {image!r}"
                )
            name, gender = people[subject]
            values = (f"{split}/{image}", subject, name, gender, split)
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
    if not columns["image"]:
        raise InputError(f"{folder}: expected train_list.txt or test_list.txt, found neither")
    there = (folder / "train").is_dir() or (folder / "test").is_dir()
    return listed(pa.table(columns), folder if there else None)


def _people(path: Path) -> dict[str, tuple[str, str]]:
    """Name and gender of each identity."""
    people = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, skipinitialspace=True)
        next(reader, None)
        for fields in reader:
            if not fields:
                continue
            subject, gender = fields[0].strip(), fields[-1].strip().lower()
            if len(fields) < _FIELDS or gender not in _GENDERS:
                raise InputError(
                    f"{path}, line {reader.line_num}: expected Class_ID, Name, Sample_Num, Flag, "
                    f"Gender (m or f), found {', '.join(fields)[:60]!r}"
                )
            # Some names hold a comma that is not quoted.
            people[subject] = (", ".join(fields[1:-3]).strip(), _GENDERS[gender])
    return people
