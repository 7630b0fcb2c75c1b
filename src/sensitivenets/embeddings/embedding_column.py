"""Which columns are the embedding: one of lists, one of JSON, or a column for each feature."""

from __future__ import annotations

import fnmatch
import json
import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sensitivenets.embeddings.arrays import FloatArray, is_list, vectors_from_arrow
from sensitivenets.errors import InputError, did_you_mean

_SHOWN = 12


@dataclass(frozen=True)
class EmbeddingColumn:
    """The columns that make an embedding, and how.

    Attributes
    ----------
    name : str
        As it was asked for: a column, or a pattern such as ``f*``.
    columns : tuple of str
        Columns to read: one of lists, or one for each feature in the order of their numbers.
    wide : bool
        Whether each column is a feature.
    scale : str or None
        Column of what a row's integers are multiplied by, named as the embedding with ``_scale``
        behind.
    """

    name: str
    columns: tuple[str, ...]
    wide: bool = False
    scale: str | None = None

    @property
    def read(self) -> tuple[str, ...]:
        """All columns that are needed, none of which is a label."""
        return self.columns if self.scale is None else (*self.columns, self.scale)

    @property
    def written(self) -> str:
        """Name of the one column that rows are written to."""
        return "embedding" if self.wide else self.name

    @classmethod
    def find(cls, schema: pa.Schema, name: str, source: str) -> EmbeddingColumn:
        """Find the embedding among the columns of a table.

        Raises
        ------
        InputError
            If it is not there; the message names what may be meant.
        """
        if name in schema.names:
            scale = f"{name}_scale"
            quantised = scale in schema.names and _holds_int8(schema.field(name).type)
            return cls(name, (name,), scale=scale if quantised else None)
        if re.search(r"[*?\[]", name):
            found = [one for one in schema.names if fnmatch.fnmatchcase(one, name)]
            if found:
                _require_numbers(schema, found, name, source)
                return cls(name, tuple(in_order_of_numbers(found)), wide=True)
        near = did_you_mean(name, schema.names)
        raise InputError(f"{source}: no column {name!r}; {near}it has {_shown(schema)}")

    def vectors(self, table: pa.Table, where: str, first_row: int) -> FloatArray:
        """Return the embeddings of some rows.

        Parameters
        ----------
        table : pyarrow.Table
            With the columns of `read`.
        where : str
            The file, for messages.
        first_row : int
            Number of the first row in the file.

        Returns
        -------
        ndarray of shape (n, d), float32

        Raises
        ------
        InputError
            If a row has no embedding, or one of another length.
        """
        if self.wide:
            return _from_features(table, self.columns, where, first_row)
        where = f"{where}: column {self.columns[0]!r}"
        column = table[self.columns[0]]
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = _from_json(column, where, first_row)
        vectors = vectors_from_arrow(column, where, first_row=first_row)
        if self.scale is None:
            return vectors
        scales = _numbers(table[self.scale], f"{where}: its scale", first_row)
        return vectors * scales[:, None]


def in_order_of_numbers(names: list[str]) -> list[str]:
    """Order names by the number they end in, if each does: f2 before f10, in any file."""
    numbers = [re.search(r"(\d+)$", name) for name in names]
    if not all(numbers):
        return names
    return sorted(names, key=lambda name: int(re.search(r"(\d+)$", name).group()))  # type: ignore[union-attr]


def _holds_int8(kind: pa.DataType) -> bool:
    return bool(getattr(kind, "value_type", None) == pa.int8())


def _require_numbers(schema: pa.Schema, names: list[str], pattern: str, source: str) -> None:
    for name in names:
        kind = schema.field(name).type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or kind == pa.null()):
            raise InputError(
                f"{source}: {pattern!r} takes in the column {name!r} of type {kind}, which is no "
                "feature; name the features more narrowly"
            )


def _from_features(
    table: pa.Table, names: tuple[str, ...], where: str, first_row: int
) -> FloatArray:
    vectors = np.empty((table.num_rows, len(names)), dtype=np.float32)
    for k, name in enumerate(names):
        vectors[:, k] = _numbers(table[name], f"{where}: column {name!r}", first_row)
    return vectors


def _numbers(column: pa.ChunkedArray, where: str, first_row: int) -> FloatArray:
    if column.null_count:
        row = first_row + int(np.flatnonzero(column.is_null().to_numpy())[0])
        raise InputError(
            f"{where}, row {row}: null ({column.null_count} such rows); drop these rows"
        )
    # What float32 cannot hold becomes infinite and is refused with its row, by check_vectors.
    with np.errstate(over="ignore"):
        return column.to_numpy().astype(np.float32)  # type: ignore[no-any-return]


def _from_json(column: pa.ChunkedArray, where: str, first_row: int) -> pa.ChunkedArray:
    """Read lists that were written as text, as in a CSV."""
    texts = column.to_pylist()
    rows = []
    for row, text in enumerate(texts, start=first_row):
        try:
            value = None if text is None else json.loads(text)
        except (ValueError, RecursionError):
            value = text
        if not isinstance(value, list | None):
            raise InputError(
                f"{where}, row {row}: expected a list of numbers in JSON, such as [0.1, 0.2], "
                f"found {str(text)[:40]!r}"
            )
        rows.append(value)
    try:
        return pa.chunked_array([pa.array(rows, pa.list_(pa.float32()))])
    except (pa.ArrowException, TypeError) as error:
        raise InputError(f"{where}: expected lists of numbers in JSON; {error}") from error


def _shown(schema: pa.Schema) -> str:
    """Name the columns, and how to name the one that is meant."""
    names = [f"{name!r}" for name in schema.names[:_SHOWN]]
    more = f" and {len(schema) - _SHOWN} more" if len(schema) > _SHOWN else ""
    listed = f"{', '.join(names) or 'none'}{more}"
    lists = [field.name for field in schema if is_list(field.type)]
    if lists:
        return f"{listed}; name the embedding column: --embedding {lists[0]}"
    numbered = re.compile(r"^(.*?)\d+$")
    stems = [found.group(1) for name in schema.names if (found := numbered.match(name))]
    if stems and stems.count(most := max(set(stems), key=stems.count)) > 1:
        return f"{listed}; for a column a feature: --embedding '{most}*'"
    return f"{listed}; name the embedding column with --embedding, or embed the rows first"
