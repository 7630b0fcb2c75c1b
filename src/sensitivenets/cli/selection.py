"""Choosing rows on the command line: COLUMN=VALUE."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sensitivenets.atomic import check_parent, check_table_name
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.embeddings import EmbeddingTable


def column_value(text: str, option: str) -> tuple[str, str]:
    """Split ``COLUMN=VALUE`` at its first equals sign.

    Raises
    ------
    InputError
        If there is none, or no column in front of it.
    """
    column, equals, value = text.partition("=")
    if not equals or not column:
        raise InputError(f"{option}: expected COLUMN=VALUE, such as split=fit, found {text!r}")
    return column, value


def read_rows(
    path: Path, where: Sequence[str], embedding: str, option: str = "--where"
) -> EmbeddingTable:
    """Read a table, of embeddings or of codes, and keep the rows that meet every condition.

    Raises
    ------
    InputError
        If the table cannot be read, a condition is malformed, or no row meets it.
    """
    from sensitivenets.codes.code_files import is_code_file, read_codes
    from sensitivenets.embeddings import read_table

    conditions = [column_value(text, option) for text in where]
    if is_code_file(path):
        table = read_codes(path).as_embeddings()
    else:
        table = read_table(path, embedding=embedding)
    for column, value in conditions:
        table = table.where(column, value)
    return table


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Refuse a file that is there, unless it may be overwritten.

    Raises
    ------
    InputError
        If it exists, is a folder, or cannot be made.
    """
    check_parent(path)
    if path.is_dir():
        raise InputError(f"{path}: expected a file to write, found a folder")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: already exists; choose another name or add --overwrite")


def refuse_table(path: Path, *, overwrite: bool) -> None:
    """Refuse a file that no table can be written to, or that must not be replaced.

    Raises
    ------
    InputError
        If it does not end in ``.parquet``, exists, is a folder, or cannot be made.
    """
    check_table_name(path)
    refuse_existing(path, overwrite=overwrite)
