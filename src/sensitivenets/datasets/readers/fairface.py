"""FairFace: gender, seven races and nine age groups, labelled by people.

Karkkainen and Joo, FairFace, WACV 2021. ``fairface_label_train.csv`` and
``fairface_label_val.csv``: file, age, gender, race, service_test. There are no identities.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa

from sensitivenets.datasets.readers.face_list import (
    GROUP_OF_RACE,
    FaceList,
    first_there,
    listed,
    require_folder,
    safe_path,
)
from sensitivenets.errors import InputError

_FILES = {
    "train": ("fairface_label_train.csv", "train_labels.csv"),
    "validation": ("fairface_label_val.csv", "val_labels.csv"),
}
_COLUMNS = ("file", "age", "gender", "race")


def read_fairface(folder: str | Path) -> FaceList:
    """Read the label files of FairFace, both or one of them.

    Parameters
    ----------
    folder : str or Path
        Holds the label files, and ``train`` and ``val`` where the photographs are there.

    Returns
    -------
    FaceList
        ``image``, ``gender``, ``ethnicity`` (the paper's three groups), ``race``, ``age`` (an
        interval, as text), ``split``.

    Raises
    ------
    InputError
        If there is neither file, a column is missing, or a race is unknown.
    """
    folder = require_folder(Path(folder))
    found = {split: first_there(folder, names) for split, names in _FILES.items()}
    rows: list[dict[str, str]] = []
    for split, path in found.items():
        if path is not None:
            rows += _rows(path, split)
    if not rows:
        names = " or ".join(name for names in _FILES.values() for name in names[:1])
        raise InputError(f"{folder}: expected {names} with labels, found none")
    columns = ("image", "gender", "ethnicity", "race", "age", "split")
    there = (folder / "train").is_dir() or (folder / "val").is_dir()
    table = pa.table({name: [row[name] for row in rows] for name in columns})
    return listed(table, folder if there else None)


def _rows(path: Path, split: str) -> list[dict[str, str]]:
    rows = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        lacking = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
        if lacking:
            raise InputError(
                f"{path}: no column {lacking[0]!r}; expected file, age, gender, race, found "
                f"{', '.join(reader.fieldnames or ()) or 'none'}"
            )
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            if any(not row[name] for name in _COLUMNS):
                raise InputError(f"{where}: expected file, age, gender and race, found {row}")
            if row["race"] not in GROUP_OF_RACE:
                raise InputError(
                    f"{where}: expected a race of {', '.join(GROUP_OF_RACE)}, found {row['race']!r}"
                )
            rows.append({
                "image": safe_path(row["file"], where),
                "gender": row["gender"],
                "ethnicity": GROUP_OF_RACE[row["race"]],
                "race": row["race"],
                "age": row["age"],
                "split": split,
            })
    return rows
