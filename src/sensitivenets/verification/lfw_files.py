"""The pair lists of Labeled Faces in the Wild: pairs.txt, pairsDevTrain.txt, pairsDevTest.txt.

A header says how many folds there are and how many pairs of each kind a fold has (one number for
a single fold). In each fold, lines ``name  n1  n2`` are genuine and ``name1  n1  name2  n2`` are
impostor pairs; n counts a person's images from 1.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from sensitivenets.embeddings import EmbeddingTable
from sensitivenets.errors import InputError

_Image = tuple[str, int]


def read_lfw_lines(
    path: Path, table: EmbeddingTable, subject: str, image: str
) -> tuple[list[int], list[int], list[bool], list[int]]:
    """Read a pair list of LFW and find its images among the rows of a table.

    Parameters
    ----------
    path : Path
        The text file.
    table : EmbeddingTable
        With one row for each image that the file names.
    subject, image : str
        Columns of `table`: the person's name as the file writes it, and the image number.

    Returns
    -------
    left, right, same, fold : lists of one length
        Row numbers of `table`, whether it is a genuine pair, and the fold, counted from 0.

    Raises
    ------
    InputError
        If a line is malformed, the number of lines is not what the header says, or an image is
        not in the table or is there twice.
    """
    lines = _numbered_lines(path)
    n_folds, n_each = _header(path, lines)
    body = lines[1:]
    expected = n_folds * 2 * n_each
    if len(body) != expected:
        raise InputError(
            f"{path}: expected {n_folds} x 2 x {n_each} = {expected} pairs as its first line "
            f"says, found {len(body)}; the file is cut off or has another format"
        )
    row_of = _rows_by_image(table, subject, image)
    left, right, same, fold = [], [], [], []
    for position, (number, fields) in enumerate(body):
        where = f"{path}, line {number}"
        first, second = _two_images(fields, where)
        left.append(_find(row_of, first, where, table))
        right.append(_find(row_of, second, where, table))
        same.append(first[0] == second[0])
        fold.append(position // (2 * n_each))
    return left, right, same, fold


def _numbered_lines(path: Path) -> list[tuple[int, list[str]]]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected a text file in UTF-8; {error}") from error
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), start=1)]
    return [(number, fields) for number, fields in lines if fields]


def _header(path: Path, lines: list[tuple[int, list[str]]]) -> tuple[int, int]:
    fields = lines[0][1] if lines else []
    if len(fields) not in {1, 2} or not all(f.isdecimal() and int(f) > 0 for f in fields):
        raise InputError(
            f"{path}, line 1: expected '<folds> <pairs of a kind>' or '<pairs of a kind>', as in "
            f"'10 300', found {' '.join(fields)!r}"
        )
    return (int(fields[0]), int(fields[1])) if len(fields) == 2 else (1, int(fields[0]))


def _two_images(fields: list[str], where: str) -> tuple[_Image, _Image]:
    match fields:
        case [name, first, second] if first.isdecimal() and second.isdecimal():
            return (name, int(first)), (name, int(second))
        case [name, first, other, second] if first.isdecimal() and second.isdecimal():
            return (name, int(first)), (other, int(second))
    raise InputError(
        f"{where}: expected 'name n1 n2' or 'name1 n1 name2 n2', found {' '.join(fields)!r}"
    )


def _rows_by_image(table: EmbeddingTable, subject: str, image: str) -> dict[_Image, int]:
    numbers = table.column(image)
    try:
        numbers = pc.cast(numbers, pa.int64())
    except pa.ArrowException as error:
        raise InputError(
            f"{table.source}: column {image!r}: expected image numbers, found {numbers.type}"
        ) from error
    names = table.labels(subject)
    row_of: dict[_Image, int] = {}
    for row, (code, number) in enumerate(zip(names.codes, numbers.to_pylist(), strict=True)):
        if code < 0 or number is None:
            continue
        key = (names.classes[code], number)
        if key in row_of:
            raise InputError(
                f"{table.source}: rows {row_of[key]} and {row} both are image {number} of "
                f"{key[0]!r} (columns {subject!r}, {image!r}); keep one of them"
            )
        row_of[key] = row
    return row_of


def _find(row_of: dict[_Image, int], key: _Image, where: str, table: EmbeddingTable) -> int:
    row = row_of.get(key)
    if row is None:
        raise InputError(
            f"{where}: image {key[1]} of {key[0]!r} is not in {table.source}; embed that image, "
            "or name the columns that hold the person's name and the image number"
        )
    return row
