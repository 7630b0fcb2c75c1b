"""A .csv of labels, where text that looks like a number is not always one."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from sensitivenets.errors import InputError

# Such as 007, or an id of more digits than a float64 has: as numbers, two of them could be one.
_NO_NUMBER = r"^\s*[+-]?(0[0-9]|[0-9]{16})"
# Bytes of a header.
_LONGEST_HEADER = 1_000_000
_MARKS_OF_OTHER_ENCODINGS = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")


def read_csv(path: Path, text: Collection[str] = ()) -> pa.Table:
    """Read a .csv with a header, UTF-8; an empty field is null.

    Parameters
    ----------
    path : Path
        The file.
    text : collection of str, default=()
        Columns that are text whatever they hold.

    Returns
    -------
    pyarrow.Table
        Numbers, Booleans, dates or text. Numbers with leading zeros, or of more digits than a
        number keeps, stay text: ``01`` and ``1`` are two people.

    Raises
    ------
    InputError
        If it cannot be read, is of another encoding, or two columns have one name.
    """
    _check_header(path)
    found = _parsed(path, dict.fromkeys(text, pa.string()))
    for field in found.schema:
        if pa.types.is_binary(field.type):
            raise InputError(
                f"{path}: column {field.name!r}: expected text in UTF-8; save it as UTF-8"
            )
    numbers = [
        field.name
        for field in found.schema
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    ]
    if not numbers:
        return found
    written = _parsed(path, dict.fromkeys(numbers, pa.string()), only=numbers)
    for name in numbers:
        if pc.any(pc.match_substring_regex(written[name], _NO_NUMBER)).as_py():
            found = found.set_column(found.column_names.index(name), name, written[name])
    return found


def refuse_other_encodings(header: bytes, where: str) -> None:
    """Refuse a header in UTF-16 or UTF-32, which would be read as other names.

    Raises
    ------
    InputError
        Beginning with `where`.
    """
    if header.startswith(_MARKS_OF_OTHER_ENCODINGS) or b"\0" in header:
        raise InputError(
            f"{where}: expected text in UTF-8, found UTF-16 or UTF-32; save it as UTF-8"
        )


def _parsed(
    path: Path, types: dict[str, pa.DataType], only: Collection[str] | None = None
) -> pa.Table:
    try:
        return pa_csv.read_csv(
            path,
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                column_types=types,
                include_columns=None if only is None else list(only),
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: cannot be read as .csv: {reason:.300}") from error


def _check_header(path: Path) -> None:
    """Refuse a header that would be misread."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with path.open("rb") as file:
        line = file.readline(_LONGEST_HEADER)
    refuse_other_encodings(line, str(path))
    try:
        names = next(csv.reader([line.decode("utf-8-sig").rstrip("\r\n")]), [])
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected text in UTF-8; {error}; save it as UTF-8") from error
    except csv.Error:
        return  # a name with a line break in it: what follows is for the parser
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path}: two columns are named {twice!r}; rename one")
