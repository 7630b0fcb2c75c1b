"""Two tables of the same rows, before and after a map: joined where a column tells rows apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sensitivenets.embeddings.table import EmbeddingTable
from sensitivenets.errors import InputError

_REMEDY = "give the same rows in the same order"
_FIRST_KEY = "image"


@dataclass(frozen=True)
class Matched:
    """A second table whose rows are those of a first.

    Attributes
    ----------
    table : EmbeddingTable
        The second table, in the order of the first.
    key : str or None
        The column that tells all rows apart and is in both; None if there is none, so that nobody
        knows the order.
    moved : int
        Rows that `key` brought to another place.
    """

    table: EmbeddingTable
    key: str | None = None
    moved: int = 0


def match_rows(before: EmbeddingTable, after: EmbeddingTable) -> Matched:
    """Bring a second table into the order of the first, and refuse it if it is of other rows.

    A column of both, of text or integers, that no two rows share joins them: ``image`` before any
    other. All columns of both must then say the same.

    Parameters
    ----------
    before, after : EmbeddingTable
        The tables.

    Returns
    -------
    Matched
        See there.

    Raises
    ------
    InputError
        If the number of rows or a column differs; the message names the first such row.
    """
    if len(before) != len(after):
        raise InputError(
            f"{after.source}: expected {len(before)} rows as in {before.source}, found "
            f"{len(after)}; {_REMEDY}"
        )
    shared = [n for n in before.columns.column_names if n in after.columns.column_names]
    shared.sort(key=lambda name: name != _FIRST_KEY)
    key = next((name for name in shared if _tells_apart(before.column(name))), None)
    matched = Matched(after) if key is None else _joined(before, after, key)
    _require_equal(before, matched.table, shared)
    return matched


def _tells_apart(column: pa.ChunkedArray) -> bool:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    is_name = (
        pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
    )
    return bool(
        is_name and column.null_count == 0 and pc.count_distinct(column).as_py() == len(column)
    )


def _joined(before: EmbeddingTable, after: EmbeddingTable, key: str) -> Matched:
    place = {value: row for row, value in enumerate(after.column(key).to_pylist())}
    wanted = before.column(key).to_pylist()
    for row, value in enumerate(wanted):
        if value not in place:
            raise InputError(
                f"{after.source}: no row has {key!r} = {value!r} as row {row} of {before.source}; "
                f"{_REMEDY}"
            )
    order = np.array([place[value] for value in wanted])
    moved = int(np.sum(order != np.arange(len(order))))
    return Matched(after.take(order) if moved else after, key, moved)


def _require_equal(before: EmbeddingTable, after: EmbeddingTable, names: Sequence[str]) -> None:
    for name in names:
        ours, theirs = before.column(name), after.column(name)
        if ours.equals(theirs):
            continue
        for row, (one, other) in enumerate(zip(ours.to_pylist(), theirs.to_pylist(), strict=True)):
            if not _same(one, other):
                raise InputError(
                    f"{after.source}, row {row}: {name!r} is {other!r}, but {one!r} in "
                    f"{before.source}; {_REMEDY}, or leave {name!r} out of one of the tables"
                )


def _same(one: Any, other: Any) -> bool:
    # A NaN differs from itself; both count as no label.
    return bool(one == other or (one != one and other != other))
