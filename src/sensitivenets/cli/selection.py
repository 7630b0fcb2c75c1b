"""Choosing rows on the command line: COLUMN=VALUE."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sensitivenets.atomic import check_parent, check_table_name
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.embeddings import EmbeddingTable
    from sensitivenets.embeddings.location import Place
    from sensitivenets.embeddings.source import TableSource
    from sensitivenets.maps.base import Model


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


def require_files(where: str) -> None:
    """Refuse a table that is not there, before anything else is asked of it.

    Raises
    ------
    InputError
        If there is no such file, folder or place.
    """
    from sensitivenets.embeddings.formats import FORMATS
    from sensitivenets.embeddings.location import find_parts

    find_parts(where, FORMATS)


def open_rows(
    where: str, conditions: Sequence[str], embedding: str, option: str = "--where"
) -> TableSource:
    """Open a table of embeddings to be read block by block: the rows that meet every condition.

    Raises
    ------
    InputError
        If the table cannot be read, a condition is malformed, or no row meets it.
    """
    from sensitivenets.embeddings.source import open_table

    chosen = [column_value(text, option) for text in conditions]
    return open_table(where, embedding=embedding, conditions=chosen)


def read_rows(
    where: str | Path, conditions: Sequence[str], embedding: str, option: str = "--where"
) -> EmbeddingTable:
    """Read a table, of embeddings or of codes, and keep the rows that meet every condition.

    Raises
    ------
    InputError
        If the table cannot be read, a condition is malformed, or no row meets it.
    """
    from sensitivenets.codes.code_files import is_code_file, read_codes

    if not is_code_file(where):
        return open_rows(str(where), conditions, embedding, option).read()
    table = read_codes(where).as_embeddings()
    for text in conditions:
        table = table.where(*column_value(text, option))
    return table


def rows_or_source(
    where: str, conditions: Sequence[str], embedding: str, option: str = "--where"
) -> EmbeddingTable | TableSource:
    """Do what `read_rows` does, but of a table that is too large to be attacked whole, open it.

    Raises
    ------
    InputError
        If the table cannot be read, a condition is malformed, or no row meets it.
    """
    from sensitivenets.codes.code_files import is_code_file
    from sensitivenets.embeddings.drawn_rows import MOST_ROWS

    if is_code_file(where):
        return read_rows(where, conditions, embedding, option)
    source = open_rows(where, conditions, embedding, option)
    return source if source.n_rows > MOST_ROWS else source.read()


def refuse_own_output(rows: EmbeddingTable | TableSource, model: Model, path: Path) -> None:
    """Refuse to apply a model to what it made: it was fitted on something else.

    Raises
    ------
    InputError
        If the table has a record of a model with these weights.
    """
    from sensitivenets.embeddings import EmbeddingTable
    from sensitivenets.maps.digest import weights_digest
    from sensitivenets.maps.made_by import makers_of

    own = weights_digest(model.map.arrays())
    if any(maker.weights_sha256 == own for maker in makers_of(rows)):
        name = rows.source if isinstance(rows, EmbeddingTable) else rows.name
        raise InputError(
            f"{name}: expected embeddings as {path} was fitted on, found its own output; give the "
            "table that this one was made from"
        )


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


def refuse_report(out: Path, *, overwrite: bool) -> None:
    """Refuse a folder that no report can be written to, or whose report must not be replaced.

    Raises
    ------
    InputError
        If it is a file, holds a report, or cannot be made.
    """
    check_parent(out)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: expected a folder for the report, found a file")
    if (out / "audit.json").exists() and not overwrite:
        raise InputError(f"{out}: a report is already there; choose another or add --overwrite")


def refuse_table(path: Path, *, overwrite: bool) -> None:
    """Refuse a file that no table can be written to, or that must not be replaced.

    Raises
    ------
    InputError
        If it does not end in ``.parquet``, exists, is a folder, or cannot be made.
    """
    check_table_name(path)
    refuse_existing(path, overwrite=overwrite)


def table_to_write(out: str, *, overwrite: bool) -> Place:
    """Return where a table is written, unless it cannot be, or must not be replaced.

    Raises
    ------
    InputError
        If it does not end in ``.parquet``, exists, is a folder, or cannot be made.
    """
    from pyarrow.fs import FileType

    from sensitivenets.embeddings.location import find_place

    place = find_place(out)
    if place.is_local:
        refuse_table(Path(place.path), overwrite=overwrite)
        return place
    check_table_name(Path(place.shown))
    if place.info().type != FileType.NotFound and not overwrite:
        raise InputError(f"{place.shown}: already exists; choose another name or add --overwrite")
    return place


def folder_to_write(out: str) -> Place:
    """Return the folder that tables are written to, unless it cannot be made.

    Raises
    ------
    InputError
        If it is a file, or cannot be made.
    """
    from pyarrow.fs import FileType

    from sensitivenets.embeddings.location import find_place

    place = find_place(out)
    if place.info().type == FileType.File:
        raise InputError(f"{place.shown}: expected a folder to write, found a file")
    if place.is_local:
        check_parent(Path(place.path))
    return place
