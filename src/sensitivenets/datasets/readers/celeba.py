"""CelebA: forty attributes, identities and the published partition of 202 599 photographs.

Liu, Luo, Wang and Tang, Deep learning face attributes in the wild, ICCV 2015. Files of the
"Anno" and "Eval" folders: ``list_attr_celeba.txt`` (a count, the names, then a file and -1 or 1
for each), ``identity_CelebA.txt`` and ``list_eval_partition.txt`` (a file and a number). The copies
with commas and a header, which are widely spread, are read too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
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

_PLACES = ("", "Anno/", "Eval/", "anno/", "eval/")
_IMAGES = (
    "img_align_celeba/img_align_celeba",
    "img_align_celeba",
    "Img/img_align_celeba",
    "images",
)
_SPLITS = {0: "train", 1: "validation", 2: "test"}
_Columns = tuple[list[str], list[str], npt.NDArray[np.int64]]


def read_celeba(folder: str | Path) -> FaceList:
    """Read what is there of CelebA's lists.

    Parameters
    ----------
    folder : str or Path
        Holds ``list_attr_celeba``, and ``identity_CelebA`` and ``list_eval_partition`` where
        they are, as .txt or .csv, in it or in ``Anno`` and ``Eval``.

    Returns
    -------
    FaceList
        ``image``, ``subject`` (null without the file), ``gender`` (from Male), the other
        attributes by their names in lower case as Booleans, ``split``.

    Raises
    ------
    InputError
        If the attributes are missing, a line is malformed, or the files list other photographs.
    """
    folder = require_folder(Path(folder))
    path = require_file(folder, _names("list_attr_celeba"))
    images, names, values = _table(path)
    if not np.isin(values, (-1, 1)).all():
        row, column = np.argwhere(~np.isin(values, (-1, 1)))[0]
        raise InputError(
            f"{path}: expected -1 or 1 for {names[column]!r} of {images[row]!r}, found "
            f"{values[row, column]}"
        )
    columns = {"image": pa.array([safe_path(image, str(path)) for image in images])}
    columns["subject"] = _numbers(folder, "identity_CelebA", images, path)
    for name, column in zip(names, values.T, strict=True):
        if name == "Male":
            columns["gender"] = pa.array(np.where(column == 1, "Male", "Female"))
        else:
            columns[name.lower()] = pa.array(column == 1)
    split = _numbers(folder, "list_eval_partition", images, path)
    if split.null_count == len(split):
        columns["split"] = pa.nulls(len(split), pa.string())
    else:
        columns["split"] = pa.array([_split(number, folder) for number in split.to_pylist()])
    return listed(pa.table(columns), first_there(folder, _IMAGES))


def _names(stem: str) -> list[str]:
    return [f"{place}{stem}{suffix}" for place in _PLACES for suffix in (".txt", ".csv")]


def _split(number: int, folder: Path) -> str:
    if number not in _SPLITS:
        raise InputError(f"{folder}: list_eval_partition: expected 0, 1 or 2, found {number}")
    return _SPLITS[number]


def _numbers(folder: Path, stem: str, images: list[str], attributes: Path) -> pa.Array:
    """Read one number a photograph, in the order of `images`; nulls without the file."""
    path = first_there(folder, _names(stem))
    if path is None:
        return pa.nulls(len(images), pa.int64())
    files, names, values = _table(path, ["value"])
    if len(names) != 1:
        raise InputError(f"{path}: expected one number a photograph, found {len(names)}")
    of_file = dict(zip(files, values[:, 0].tolist(), strict=True))
    unknown = next((image for image in images if image not in of_file), None)
    if unknown is not None:
        raise InputError(
            f"{path}: has no line for {unknown!r}, which {attributes.name} lists; take both files "
            "from one copy"
        )
    return pa.array([of_file[image] for image in images], pa.int64())


def _table(path: Path, names: list[str] | None = None) -> _Columns:
    """Read files, column names and numbers (n, columns); `names` where a .txt has no header."""
    comma = path.suffix == ".csv"
    lines = [(k, line.replace(",", " ") if comma else line) for k, line in text_lines(path)]
    if comma:
        names, lines = lines[0][1].split()[1:] if lines else [], lines[1:]
    elif names is None:
        lines = _without_count(path, lines)
        names, lines = lines[0][1].split() if lines else [], lines[1:]
    if not lines or not names:
        raise InputError(f"{path}: expected a file name and numbers in each line, found no line")
    images: dict[str, None] = {}
    values = np.empty((len(lines), len(names)), dtype=np.int64)
    for row, (number, line) in enumerate(lines):
        image, *fields = line.split()
        try:
            values[row] = list(map(int, fields))
        except ValueError:
            fields = []
        if len(fields) != len(names):
            raise InputError(
                f"{path}, line {number}: expected a file name and {len(names)} integers, found "
                f"{line.strip()[:60]!r}"
            )
        if image in images:
            raise InputError(f"{path}, line {number}: {image!r} is listed twice")
        images[image] = None
    return list(images), names, values


def _without_count(path: Path, lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Drop the number of photographs in the first line, which says whether the file is whole."""
    if not lines or not lines[0][1].strip().isdecimal():
        return lines
    expected, found = int(lines[0][1]), len(lines) - 2
    if expected != found:
        raise InputError(
            f"{path}: expected {expected} photographs as its first line says, found {found}; the "
            "file is cut off"
        )
    return lines[1:]
