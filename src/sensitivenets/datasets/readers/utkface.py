"""UTKFace: age, gender and race are in the file names.

Zhang, Song and Qi, Age progression/regression by conditional adversarial autoencoder, CVPR 2017.
``[age]_[gender]_[race]_[date&time].jpg``, or ``.jpg.chip.jpg`` for the aligned crops. A few names
of the published set lack a field: these photographs have no labels and are left out.
"""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from sensitivenets.datasets.readers.face_list import GROUP_OF_RACE, FaceList, require_folder
from sensitivenets.errors import InputError

_NAME = re.compile(r"(\d{1,3})_([01])_([0-4])_(\d+)\.jpg(\.chip)?(\.jpg)?", re.IGNORECASE)
_GENDERS = ("Male", "Female")
_RACES = ("White", "Black", "Asian", "Indian", "Others")
_OLDEST = 116


def read_utkface(folder: str | Path) -> FaceList:
    """Read the labels in the file names of UTKFace.

    Parameters
    ----------
    folder : str or Path
        Holds the photographs, in it or in folders such as ``part1``.

    Returns
    -------
    FaceList
        ``image``, ``gender``, ``ethnicity`` (the paper's three groups; null for Others),
        ``race``, ``age`` in years. There are no identities. Names without all labels are in
        `skipped`.

    Raises
    ------
    InputError
        If no file has a name of this kind.
    """
    folder = require_folder(Path(folder))
    rows: list[tuple[str, str, str | None, str, int]] = []
    skipped = {}
    for path in sorted(folder.rglob("*.[jJ][pP][gG]")):
        image = path.relative_to(folder).as_posix()
        match = _NAME.fullmatch(path.name)
        if match is None or int(match[1]) > _OLDEST:
            skipped[image] = "expected [age]_[gender 0-1]_[race 0-4]_[date].jpg"
            continue
        race = _RACES[int(match[3])]
        gender = _GENDERS[int(match[2])]
        rows.append((image, gender, GROUP_OF_RACE.get(race), race, int(match[1])))
    if not rows:
        raise InputError(
            f"{folder}: expected photographs such as 26_1_2_20170116184024662.jpg.chip.jpg, found "
            f"{len(skipped)} of other names"
        )
    names = ("image", "gender", "ethnicity", "race", "age")
    table = pa.table({name: [row[k] for row in rows] for k, name in enumerate(names)})
    return FaceList(table, folder, skipped=skipped)
