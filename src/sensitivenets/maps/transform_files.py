"""A model applied to tables that are read and not held: one file out, or a file for each file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from sensitivenets.embeddings import EmbeddingTable, FloatArray, canonical_values, check_vectors
from sensitivenets.embeddings.location import Part, Place
from sensitivenets.embeddings.source import BLOCK_ROWS, Block, TableSource
from sensitivenets.embeddings.writing import sweep, table_writer
from sensitivenets.engines import Engine, InProcess
from sensitivenets.errors import InputError
from sensitivenets.maps.base import Model
from sensitivenets.maps.digest import weights_digest
from sensitivenets.maps.made_by import signed
from sensitivenets.maps.routed import Groups, moved_in_groups
from sensitivenets.progress import Progress

# What a part was made from: a run that goes on where another was killed reads it.
_RECORD = b"sensitivenets.part"


@dataclass(frozen=True)
class Transformation:
    """What a model does to a table.

    Attributes
    ----------
    model : Model
        Its map, and the attributes that it removes.
    name : str
        Of the model, for messages.
    keep : tuple of str
        Columns that are written although the model removes their attributes.
    groups : ndarray of shape (n_rows,), optional
        Group of each row of the table, where rows of a subject share one; each row is routed by
        itself unless given. It is written nowhere.
    """

    model: Model
    name: str
    keep: tuple[str, ...] = ()
    groups: Groups | None = None

    def groups_of(self, start: int, stop: int) -> Groups | None:
        """Return the groups of some rows, where they are known."""
        return None if self.groups is None else self.groups[start:stop]

    def columns(self, source: TableSource) -> list[str]:
        """Return the label columns that are written."""
        source.require_labels(self.keep)
        left_out = self.left_out(source)
        return [name for name in source.labels.names if name not in left_out]

    def left_out(self, source: TableSource) -> list[str]:
        """Return the columns that are not written: attributes that the model removes."""
        names = source.labels.names
        return [name for name in names if name in self.model.removed and name not in self.keep]

    def blocks(self, source: TableSource) -> Iterator[EmbeddingTable]:
        """Yield the table as the model leaves it, block by block.

        Values are rounded (see `canonical_values`), so that their last digits tell nothing.

        Raises
        ------
        InputError
            If the table is of another network, or what comes out cannot be used.
        """
        for block in source.blocks(self.columns(source), block_rows=BLOCK_ROWS):
            mapped = mapped_block(self.model, self.name, source, block, self.groups)
            rounded = canonical_values(mapped)
            columns = source.noted(block.columns)
            table = EmbeddingTable(rounded, columns, source.name, source.embedding.written)
            yield signed(table, self.model)


def mapped_block(
    model: Model, name: str, source: TableSource, block: Block, groups: Groups | None = None
) -> FloatArray:
    """Map one block of a table.

    Parameters
    ----------
    model : Model
        The model.
    name : str
        Its name, for messages.
    source : TableSource
        The table.
    block : Block
        Of the table.
    groups : ndarray of shape (n_rows,), optional
        Group of each row of the table, where they are known.

    Returns
    -------
    ndarray of shape (b, k), float32

    Raises
    ------
    InputError
        If the table is of another network, or what comes out cannot be used.
    """
    phi, n_features = model.map, block.vectors.shape[1]
    if n_features != phi.n_features_in:
        raise InputError(
            f"{source.name}: expected embeddings of {phi.n_features_in} features as {name} was "
            f"fitted on, found {n_features}; use the network that made the training embeddings"
        )
    if groups is None:
        mapped = phi(block.vectors)
    else:
        mapped = moved_in_groups(phi, block.vectors, groups[block.start : block.start + len(block)])
    check_vectors(mapped, f"{name}: what it makes of {source.name}", first_row=block.start)
    return mapped


@dataclass(frozen=True)
class Written:
    """What a folder has after a transformation.

    Attributes
    ----------
    rows : int
        In all files.
    parts : int
        Files.
    found : int
        Files that a run before had made.
    """

    rows: int
    parts: int
    found: int


def transform_to_file(
    transformation: Transformation,
    source: TableSource,
    out: Place,
    progress: Progress | None = None,
) -> None:
    """Write what a model makes of a table to one Parquet file.

    Parameters
    ----------
    transformation : Transformation
        The model.
    source : TableSource
        The table.
    out : Place
        The file; replaced if it exists.
    progress : Progress, optional
        Told of the rows that are done.
    """
    done = 0
    with table_writer(out) as write:
        for table in transformation.blocks(source):
            write(table)
            done += len(table)
            if progress is not None:
                progress(done, source.n_rows, "rows")


def transform_to_folder(
    transformation: Transformation,
    source: TableSource,
    out: Place,
    *,
    overwrite: bool = False,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> Written:
    """Write what a model makes of each file of a table to a file of the same name in a folder.

    A run that was killed is taken up by the next: files that are there were made whole, and from
    the same rows by the same model, or the run is refused. Only one run at a time may write there.

    Parameters
    ----------
    transformation : Transformation
        The model.
    source : TableSource
        The table.
    out : Place
        The folder; made if it is not there.
    overwrite : bool, default=False
        Replace files that were made by another model or from other rows.
    engine : Engine, optional
        Who does the work, a file at a time; this process unless given.
    progress : Progress, optional
        Told of the files that are done.

    Returns
    -------
    Written

    Raises
    ------
    InputError
        If a file is in the way, or folders are named by what the model removes.
    """
    require_apart(source, out)
    _require_no_removed_folders(transformation, source)
    sweep(out)
    todo, found = [], 0
    names: dict[str, str] = {}
    stops = list(accumulate(source.rows))
    for number, part in enumerate(source.parts):
        if not source.rows[number]:
            continue
        where = out.below(_written_name(part, names))
        groups = transformation.groups_of(stops[number] - source.rows[number], stops[number])
        job = _Job(number, where, groups)
        state = _record_at(job.out)
        if state == _record(transformation, source, number):
            found += 1
        elif state is None or overwrite:
            todo.append(job)
        else:
            raise InputError(
                f"{job.out.shown}: already exists, and was not made by this model from these "
                "rows; choose another folder or add --overwrite"
            )
    _require_no_others(out, set(names), overwrite)
    # Each job has the groups of its own rows.
    work = _TransformPart(replace(transformation, groups=None), source)
    done = (engine or InProcess(1)).map(work, todo)
    for k, name in enumerate(done, start=1):
        if progress is not None:
            progress(found + k, found + len(todo), name)
    # What a machine that was lost had begun, and another did again.
    sweep(out)
    return Written(source.n_rows, found + len(todo), found)


@dataclass(frozen=True)
class _Job:
    """A part to transform, and where to; the groups of its rows, where they are known."""

    number: int
    out: Place
    groups: Groups | None


@dataclass(frozen=True)
class _TransformPart:
    """Transforms one file of a table, wherever it is called."""

    transformation: Transformation
    source: TableSource

    def __call__(self, job: _Job) -> str:
        part = self.source.of_part(job.number)
        record = json.dumps(_record(self.transformation, self.source, job.number))
        # What its folders say is not said again in the file.
        folders = set(self.source.parts[job.number].keys)
        with table_writer(job.out, {_RECORD: record.encode()}) as write:
            for table in replace(self.transformation, groups=job.groups).blocks(part):
                inside = [name for name in table.columns.column_names if name not in folders]
                columns = table.columns.select(inside)
                write(EmbeddingTable(table.vectors, columns, table.source, table.embedding))
        return part.name


def _record(transformation: Transformation, source: TableSource, number: int) -> dict[str, Any]:
    """Say which rows a part is made from, and by what."""
    part = source.parts[number]
    info = part.filesystem.get_file_info(part.path)
    return {
        "model": weights_digest(transformation.model.map.arrays()),
        "columns": transformation.columns(source),
        "embedding": source.embedding.name,
        "where": [list(condition) for condition in source.conditions],
        "from": part.relative,
        "rows": source.rows[number],
        "bytes": info.size,
        "changed": info.mtime_ns,
    }


def _record_at(out: Place) -> Any:
    """Return what the file there was made from: None if there is no file, {} if nobody says."""
    if out.info().type == fs.FileType.NotFound:
        return None
    try:
        with out.filesystem.open_input_file(out.path) as file:
            known = pq.read_schema(file).metadata or {}
        return json.loads(known.get(_RECORD, b"{}"))
    except (OSError, ValueError, pa.ArrowException):
        return {}


def _require_no_others(out: Place, names: set[str], overwrite: bool) -> None:
    """Refuse a folder that has other tables in it, or clear it of those of another run."""
    if out.info().type == fs.FileType.NotFound:
        return
    root = f"{out.path.rstrip('/')}/"
    for path in out.files_below(out.path):
        name = path.removeprefix(root)
        if name in names or not name.endswith(".parquet"):
            continue
        other = out.below(name)
        if not (overwrite and _record_at(other)):
            raise InputError(
                f"{other.shown}: is not made from any of these files, and would be read with "
                "them; choose another folder"
                + (" or add --overwrite, which removes it" if _record_at(other) else "")
            )
        out.filesystem.delete_file(other.path)


def _written_name(part: Part, names: dict[str, str]) -> str:
    """Name the file that is made of a part; no two are made under one name."""
    name = part.relative.removesuffix(part.suffix) + ".parquet"
    if names.setdefault(name, part.name) != part.name:
        raise InputError(
            f"{part.name}: would be written to {name}, as {names[name]} is; rename one of them"
        )
    return name


def require_apart(source: TableSource, out: Place) -> None:
    """Refuse to write where the next run would read.

    Raises
    ------
    InputError
        If the folder is, or is in, one that the table's files are in, or holds them.
    """
    here = f"{out.path.rstrip('/')}/"
    for part in source.parts:
        root = part.path.removesuffix(part.relative)
        same = type(part.filesystem) is type(out.filesystem)
        if same and (part.path.startswith(here) or (root and here.startswith(root))):
            raise InputError(
                f"{out.shown}: is, or is in, the folder of the files to be transformed; choose "
                "another"
            )


def folder_of_removed(
    transformation: Transformation, source: TableSource
) -> tuple[str, str] | None:
    """Return a file in a folder that is named by what the model removes, and the column; or None.

    Such folders cannot be made again: the table is written as one file.
    """
    left_out = transformation.left_out(source)
    found = ((part.name, key) for part in source.parts for key in part.keys if key in left_out)
    return next(found, None)


def _require_no_removed_folders(transformation: Transformation, source: TableSource) -> None:
    found = folder_of_removed(transformation, source)
    if found is not None:
        name, key = found
        raise InputError(
            f"{name}: its folder is named by {key!r}, which the model removes; write "
            f"one file (--out NAME.parquet), or keep it with --keep {key}"
        )
