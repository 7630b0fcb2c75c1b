"""What a table holds: rows, lengths, rank, and what is in its label columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from sensitivenets.embeddings.arrays import FloatArray, squared_norms
from sensitivenets.embeddings.collapse import measure_collapse
from sensitivenets.embeddings.labels import Labels, counted, encode
from sensitivenets.embeddings.source import TableSource
from sensitivenets.embeddings.source_rows import SourceRows
from sensitivenets.embeddings.table import EmbeddingTable
from sensitivenets.errors import InputError

# Rows whose rank is measured, and classes that are named.
_RANK_ROWS = 2000
_CLASSES = 6
# Labels in memory at a time.
_CELLS = 4_000_000


def describe_rows(rows: SourceRows) -> dict[str, Any]:
    """Describe a table that is read and not held, in one pass.

    Parameters
    ----------
    rows : SourceRows
        The table, and who goes through it.

    Returns
    -------
    dict
        ``rows``, ``n_features``, ``norm`` (``smallest``, ``largest``), ``effective_rank`` of some
        2 000 rows, and ``columns``: type, distinct values, unlabelled rows and most frequent
        values of each.
    """
    source = rows.source
    seen = list(rows.over(_Look(max(1, source.n_rows // _RANK_ROWS))))
    names = source.labels.names
    columns: dict[str, Any] = {}
    # Of a long table one column at a time, of a short one many: each reading costs a footer.
    at_once = max(1, _CELLS // source.n_rows)
    for first in range(0, len(names), at_once):
        some = names[first : first + at_once]
        if at_once == 1:
            columns |= {name: _describe_long(source, name) for name in some}
            continue
        read = source.read_labels(some)
        columns |= {name: _describe(name, read[name]) for name in read.column_names}
    return _facts(source.n_rows, seen, columns)


def describe_table(table: EmbeddingTable) -> dict[str, Any]:
    """Do what `describe_rows` does for a table in memory."""
    look = _Look(max(1, len(table) // _RANK_ROWS))
    columns = {n: _describe(n, table.column(n)) for n in table.columns.column_names}
    return _facts(len(table), [look([(slice(0, len(table)), table.vectors)])], columns)


@dataclass(frozen=True)
class _Seen:
    """Of a stretch: the shortest and the longest row, and some rows."""

    smallest: float
    largest: float
    sample: FloatArray


@dataclass(frozen=True)
class _Look:
    """Looks at a stretch, and takes every so manyth row."""

    every: int

    def __call__(self, chunks: Iterable[tuple[slice, FloatArray]]) -> _Seen:
        norms, sample = [], []
        for rows, X in chunks:
            norms.append(np.sqrt(squared_norms(X)))
            sample.append(X[-rows.start % self.every :: self.every])
        found = np.concatenate(norms)
        return _Seen(float(found.min()), float(found.max()), np.concatenate(sample))


def _facts(n_rows: int, seen: list[_Seen], columns: dict[str, Any]) -> dict[str, Any]:
    sample = np.concatenate([one.sample for one in seen])
    return {
        "rows": n_rows,
        "n_features": int(sample.shape[1]),
        "norm": {
            "smallest": min(one.smallest for one in seen),
            "largest": max(one.largest for one in seen),
        },
        "effective_rank": measure_collapse(sample).effective_rank,
        "columns": columns,
    }


def _describe(name: str, column: pa.ChunkedArray) -> dict[str, Any]:
    try:
        labels = encode(name, column)
    except InputError:
        return _no_labels(column)
    return {"type": str(column.type)} | _counts(labels)


def _describe_long(source: TableSource, name: str) -> dict[str, Any]:
    """Describe a column that is read as codes: its values are not held row by row."""
    try:
        labels = source.read_codes(name)
    except InputError:
        return _no_labels(source.read_labels([name])[name])
    return {"type": str(source.labels.field(name).type)} | _counts(labels)


def _no_labels(column: pa.ChunkedArray) -> dict[str, Any]:
    """Describe boxes, landmarks and the like, which are not to be counted."""
    nothing: dict[str, Any] = {"distinct": None, "most_frequent": {}}
    return {"type": str(column.type), "unlabelled": column.null_count} | nothing


def _counts(labels: Labels) -> dict[str, Any]:
    counts = counted(labels.codes, len(labels.classes))
    most = np.argsort(-counts, kind="stable")[:_CLASSES]
    return {
        "distinct": len(labels.classes),
        "unlabelled": len(labels) - int(counts.sum()),
        # Of values that all occur once, none is more frequent than another.
        "most_frequent": {labels.classes[k]: int(counts[k]) for k in most if counts[k] > 1},
    }
