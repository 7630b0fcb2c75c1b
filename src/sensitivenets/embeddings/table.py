"""The table of embeddings: one matrix, its label columns, and the checks at the door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sensitivenets.embeddings.arrays import FloatArray, check_vectors
from sensitivenets.embeddings.label_doubts import require_distinct_classes, without_blanks
from sensitivenets.embeddings.labels import Labels, encode
from sensitivenets.errors import InputError, did_you_mean, some_of


@dataclass(frozen=True, repr=False)
class EmbeddingTable:
    """Embeddings with their labels.

    Attributes
    ----------
    vectors : ndarray of shape (n, d), float32
        One embedding a row; finite and never zero.
    columns : pyarrow.Table
        The label columns: identity, attributes, anything else; n rows.
    source : str
        Where the table came from, for messages.
    embedding : str
        Name of the embedding column in `source`.
    """

    vectors: FloatArray
    columns: pa.Table
    source: str = "table"
    embedding: str = "embedding"

    def __post_init__(self) -> None:
        check_vectors(self.vectors, f"{self.source}: column {self.embedding!r}")
        if self.columns.num_columns and self.columns.num_rows != len(self.vectors):
            raise InputError(
                f"{self.source}: expected one label row for each of {len(self.vectors)} "
                f"embeddings, found {self.columns.num_rows}"
            )

    def __len__(self) -> int:
        return len(self.vectors)

    # Never a value: what is printed goes to logs and notebooks.
    def __repr__(self) -> str:
        names = some_of(self.columns.column_names)
        return (
            f"EmbeddingTable({len(self)} rows, {self.dim} features, label columns: {names}, "
            f"source: {self.source!r})"
        )

    @property
    def dim(self) -> int:
        """Number of features of an embedding."""
        return int(self.vectors.shape[1])

    def column(self, name: str) -> pa.ChunkedArray:
        """Return one label column.

        Raises
        ------
        InputError
            If the table has no such column.
        """
        return label_column(self.columns, name, self.source)

    def labels(self, name: str) -> Labels:
        """Return one label column as integer codes (see `Labels`)."""
        return encode(name, self.column(name))

    def identities(self, name: str) -> Labels:
        """Return a column that says who each row shows; a blank text is nobody, as null is."""
        return without_blanks(self.labels(name))

    def numbers(self, name: str) -> FloatArray:
        """Return a column of numbers, shape (n,), NaN where a row has none.

        Raises
        ------
        InputError
            If there is no such column, or it holds something else.
        """
        column = self.column(name)
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            raise InputError(
                f"{self.source}: column {name!r}: expected numbers, found {column.type}; "
                "attack it as an attribute of classes"
            )
        values: FloatArray = pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy()
        return values

    def attributes(self, names: Sequence[str]) -> dict[str, Labels]:
        """Return several attributes as codes, each with at least two classes, spelled apart."""
        found = {name: self.labels(name).require_two_classes() for name in names}
        for labels in found.values():
            require_distinct_classes(labels)
        return found

    def take(self, rows: npt.NDArray[Any]) -> EmbeddingTable:
        """Keep the given rows (indices or a mask), in that order."""
        rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return replace(self, vectors=self.vectors[rows], columns=self.columns.take(pa.array(rows)))

    def where(self, column: str, value: str) -> EmbeddingTable:
        """Keep the rows whose `column`, read as text, equals `value`.

        Raises
        ------
        InputError
            If no row does.
        """
        return self.take(rows_with(self.labels(column), value, self.source))

    def with_vectors(self, vectors: FloatArray) -> EmbeddingTable:
        """Return the same labels on other embeddings of the same rows."""
        return replace(self, vectors=vectors)


def label_column(columns: pa.Table, name: str, source: str) -> pa.ChunkedArray:
    """Return one column of a table of labels.

    Raises
    ------
    InputError
        If there is no such column; the message begins with `source` and names those there are.
    """
    if name not in columns.column_names:
        near = did_you_mean(name, columns.column_names)
        present = some_of(columns.column_names)
        raise InputError(f"{source}: no column {name!r}; {near}its label columns are {present}")
    return columns[name]


def rows_with(labels: Labels, value: str, source: str) -> npt.NDArray[np.intp]:
    """Find the rows that carry a label.

    Raises
    ------
    InputError
        If no row does; the message begins with `source` and names the labels there are.
    """
    if value not in labels.classes:
        near = did_you_mean(value, labels.classes)
        found = some_of(labels.classes)
        raise InputError(
            f"{source}: no row has {labels.name} = {value!r}; {near}its values are {found}"
        )
    return np.flatnonzero(labels.codes == labels.classes.index(value))
