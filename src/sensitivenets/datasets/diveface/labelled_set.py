"""A labelled set: label columns, with embeddings or without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from sensitivenets.atomic import check_table_name
from sensitivenets.datasets.diveface.lists import read_lists
from sensitivenets.embeddings import (
    EmbeddingTable,
    FloatArray,
    Labels,
    encode,
    label_column,
    read_table,
    rows_with,
    write_table,
)
from sensitivenets.embeddings.labels import joint
from sensitivenets.embeddings.parquet_files import read_parquet, unreadable, write_parquet
from sensitivenets.errors import InputError


@dataclass(frozen=True)
class LabelledSet:
    """Rows with labels: the annotation lists have no embeddings, a table of them does.

    Attributes
    ----------
    columns : pyarrow.Table
        The label columns, n rows.
    vectors : ndarray of shape (n, d) or None
        The embeddings, where there are any.
    source : str
        Where the set came from, for messages.
    embedding : str
        Name of the embedding column.
    """

    columns: pa.Table
    vectors: FloatArray | None = None
    source: str = "set"
    embedding: str = "embedding"

    def __len__(self) -> int:
        return int(self.columns.num_rows)

    def labels(self, name: str) -> Labels:
        """Return one column as codes.

        Raises
        ------
        InputError
            If there is no such column.
        """
        return encode(name, label_column(self.columns, name, self.source))

    def classes(self, attributes: Sequence[str]) -> Labels:
        """Cross attributes into the classes to balance; a row that misses one is unlabelled.

        Raises
        ------
        InputError
            If there is no attribute, one is not there, or one has fewer than two classes.
        """
        if not attributes:
            raise InputError("expected at least one attribute to balance, found none")
        return joint({name: self.labels(name).require_two_classes() for name in attributes})

    def take(self, rows: npt.NDArray[Any]) -> LabelledSet:
        """Keep the given rows (indices), in that order."""
        vectors = None if self.vectors is None else self.vectors[rows]
        return replace(self, columns=self.columns.take(pa.array(rows)), vectors=vectors)

    def where(self, column: str, value: str) -> LabelledSet:
        """Keep the rows whose `column`, read as text, equals `value`.

        Raises
        ------
        InputError
            If no row does.
        """
        return self.take(rows_with(self.labels(column), value, self.source))

    def with_columns(self, columns: Mapping[str, pa.Array]) -> LabelledSet:
        """Add columns at the end, in place of any of the same name."""
        table = self.columns
        for name, values in columns.items():
            if name in table.column_names:
                table = table.drop_columns([name])
            table = table.append_column(name, values)
        return replace(self, columns=table)


def of_table(table: EmbeddingTable) -> LabelledSet:
    """Make a set of a table of embeddings."""
    return LabelledSet(table.columns, table.vectors, table.source, table.embedding)


def read_set(path: str | Path, *, embedding: str = "embedding") -> LabelledSet:
    """Read a labelled set.

    Parameters
    ----------
    path : str or Path
        A folder with the six annotation lists; a table of embeddings (.parquet, .npz, .npy); or
        a .parquet of labels alone.
    embedding : str, default="embedding"
        Name of the embedding column.

    Returns
    -------
    LabelledSet
        Without vectors for lists and for a .parquet that has no such column.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        return LabelledSet(read_lists(path), source=str(path))
    if path.suffix == ".parquet" and path.is_file():
        try:
            if embedding not in pq.read_schema(path).names:
                return LabelledSet(read_parquet(path), source=str(path))
        except (pa.ArrowException, OSError) as error:
            raise unreadable(path, error) from error
    return of_table(read_table(path, embedding=embedding))


def write_set(labelled: LabelledSet, path: str | Path) -> None:
    """Write a set as Parquet, atomically; with its embeddings, if it has any.

    Raises
    ------
    InputError
        If the name does not end in ``.parquet``, or there is no row.
    """
    path = Path(path)
    if labelled.vectors is not None:
        source, name = labelled.source, labelled.embedding
        write_table(EmbeddingTable(labelled.vectors, labelled.columns, source, name), path)
        return
    check_table_name(path)
    write_parquet(labelled.columns, path)
