"""The table of embeddings: one matrix, its label columns, and the checks at the door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sensitivenets.embeddings.labels import Labels, encode
from sensitivenets.embeddings.rows import FloatArray as FloatArray
from sensitivenets.embeddings.rows import row_blocks
from sensitivenets.errors import InputError


@dataclass(frozen=True)
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

    def attributes(self, names: Sequence[str]) -> dict[str, Labels]:
        """Return several attributes as codes, each with at least two classes."""
        return {name: self.labels(name).require_two_classes() for name in names}

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
        present = ", ".join(map(repr, columns.column_names)) or "none"
        raise InputError(f"{source}: no column {name!r}; its label columns are {present}")
    return columns[name]


def rows_with(labels: Labels, value: str, source: str) -> npt.NDArray[np.intp]:
    """Find the rows that carry a label.

    Raises
    ------
    InputError
        If no row does; the message begins with `source` and names the labels there are.
    """
    if value not in labels.classes:
        found = ", ".join(map(repr, labels.classes[:12]))
        raise InputError(f"{source}: no row has {labels.name} = {value!r}; its values are {found}")
    return np.flatnonzero(labels.codes == labels.classes.index(value))


def check_vectors(vectors: FloatArray, where: str) -> None:
    """Refuse embeddings that nothing can be learned from.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
        One embedding a row.
    where : str
        Put in front of the message: file and column.

    Raises
    ------
    InputError
        If the table is empty, a value is NaN or infinite, or a vector is zero. The message names
        the first such row (counted from 0), how many there are, and the remedy.
    """
    if vectors.ndim != 2:
        raise InputError(
            f"{where}: expected a matrix of shape (rows, features), found shape {vectors.shape}"
        )
    if vectors.shape[0] == 0 or vectors.shape[1] == 0:
        raise InputError(
            f"{where}: expected at least one embedding, found shape {vectors.shape}; "
            "check the file or the filter that selected its rows"
        )
    squared = squared_norms(vectors)
    bad = np.flatnonzero(~np.isfinite(squared))
    if len(bad):
        feature = np.flatnonzero(~np.isfinite(vectors[bad[0]]))
        at = f", feature {feature[0]}" if len(feature) else ""
        raise InputError(
            f"{where}, row {bad[0]}{at}: NaN, infinite or overflowing value "
            f"({len(bad)} such rows of {len(vectors)}); drop these rows or embed them again"
        )
    zero = np.flatnonzero(squared == 0)
    if len(zero):
        raise InputError(
            f"{where}, row {zero[0]}: zero vector, which has no direction "
            f"({len(zero)} such rows of {len(vectors)}); drop these rows or embed them again"
        )


def squared_norms(vectors: FloatArray) -> FloatArray:
    """Squared Euclidean norm of each row, shape (n,), in blocks and without a copy of the input."""
    norms = np.empty(len(vectors), dtype=np.float64)
    for block in row_blocks(len(vectors)):
        norms[block] = np.einsum("ij,ij->i", vectors[block], vectors[block])
    return norms


def vectors_from_arrow(column: pa.ChunkedArray, where: str) -> FloatArray:
    """Turn a list column into a matrix, without a copy where its memory allows.

    Parameters
    ----------
    column : pyarrow.ChunkedArray
        Fixed-size list, list or large list of float16, float32 or float64.
    where : str
        Put in front of messages: file and column.

    Returns
    -------
    ndarray of shape (n, d), float32
        A read-only view of the Arrow buffer for float32 in one chunk, else a copy.

    Raises
    ------
    InputError
        If the column is no list of floats, has null rows or values, or rows of different length.
    """
    kind = column.type
    if not (
        pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind)
    ) or not pa.types.is_floating(kind.value_type):
        raise InputError(
            f"{where}: expected a list of float16, float32 or float64 in each row, found {kind}; "
            "name the right column with --embedding"
        )
    if len(column) == 0:
        return np.empty((0, 0), dtype=np.float32)
    if column.null_count:
        row = pc.index(pc.is_null(column), True).as_py()
        raise InputError(
            f"{where}, row {row}: no embedding ({column.null_count} such rows); drop these rows"
        )
    lengths = pc.list_value_length(column)
    dim = lengths[0].as_py()
    ragged = pc.index(pc.not_equal(lengths, dim), True).as_py()
    if ragged >= 0:
        raise InputError(
            f"{where}, row {ragged}: expected {dim} features as in row 0, found "
            f"{lengths[ragged].as_py()}; embed all rows with one model"
        )
    chunks = [chunk.flatten() for chunk in column.chunks]
    start = 0
    for values in chunks:
        if values.null_count:
            row = start + pc.index(pc.is_null(values), True).as_py() // dim
            raise InputError(f"{where}, row {row}: null among the features; drop or embed it again")
        start += len(values) // max(dim, 1)
    flat = [values.to_numpy(zero_copy_only=True) for values in chunks]
    if len(flat) == 1 and flat[0].dtype == np.float32:
        return flat[0].reshape(len(column), dim)  # type: ignore[no-any-return]
    joined = np.empty(len(column) * dim, dtype=np.float32)
    # What float32 cannot hold becomes infinite and is refused with its row, by check_vectors.
    with np.errstate(over="ignore"):
        np.concatenate(flat, out=joined, casting="same_kind")
    return joined.reshape(len(column), dim)


def vectors_to_arrow(vectors: FloatArray) -> pa.FixedSizeListArray:
    """Turn a float32 matrix into a fixed-size list column, without a copy if it is contiguous.

    The type says that no value is null, which makes a Parquet file of them faster to read.
    """
    flat = np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1)
    value = pa.field("element", pa.float32(), nullable=False)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), type=pa.list_(value, vectors.shape[1]))
