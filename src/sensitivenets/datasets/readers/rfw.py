"""Racial Faces in the Wild: four races, each with identities and pairs of its own.

Wang, Deng, Hu, Tao and Huang, Racial faces in the wild, ICCV 2019. Photographs are
``data/<Race>/<identity>/<identity>_0001.jpg`` (in the published archive below ``test``), lists
``txts/<Race>/<Race>_people.txt`` (``identity  n``) and ``<Race>_pairs.txt``, of LFW's format.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from sensitivenets.datasets.readers.face_list import (
    GROUP_OF_RACE,
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

_RACES = ("African", "Asian", "Caucasian", "Indian")
_IMAGES = ("data", "images", "test/data", "test/images")
_LISTS = ("txts", "test/txts")


def read_rfw(folder: str | Path) -> FaceList:
    """Read the people of RFW from its lists, or else from its folders.

    Parameters
    ----------
    folder : str or Path
        Holds ``txts`` or ``data``, or ``test`` with them.

    Returns
    -------
    FaceList
        ``image``, ``subject``, ``number`` (of the person's photograph), ``race``, ``ethnicity``
        (the paper's three groups).

    Raises
    ------
    InputError
        If there is neither, or a line is malformed.
    """
    folder = require_folder(Path(folder))
    images, lists = first_there(folder, _IMAGES), first_there(folder, _LISTS)
    faces: list[tuple[str, str, int]] = []
    for race in _RACES:
        people = None if lists is None else lists / race / f"{race}_people.txt"
        if people is not None and people.is_file():
            faces += [(race, *face) for face in _listed(people)]
        elif images is not None:
            faces += [(race, *face) for face in photographs_below(images / race)]
    if not faces:
        raise InputError(
            f"{folder}: expected txts/African/African_people.txt, or photographs such as "
            "data/African/<identity>/<identity>_0001.jpg, found none"
        )
    table = pa.table({
        "image": [f"{race}/{photograph(name, number)}" for race, name, number in faces],
        "subject": [name for _, name, _ in faces],
        "number": [number for _, _, number in faces],
        "race": [race for race, _, _ in faces],
        "ethnicity": [GROUP_OF_RACE[race] for race, _, _ in faces],
    })
    return listed(table, images)


def _listed(path: Path) -> list[tuple[str, int]]:
    faces = []
    for number, line in text_lines(path):
        if line.strip().isdecimal():
            continue  # Some copies begin with the number of people.
        name, count = person_line(path, number, line)
        faces += [(name, k) for k in range(1, count + 1)]
    return faces
