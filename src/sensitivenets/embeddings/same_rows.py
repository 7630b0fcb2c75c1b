"""Two tables of the same rows: before and after a map."""

from __future__ import annotations

from collections.abc import Sequence

from sensitivenets.embeddings.table import EmbeddingTable
from sensitivenets.errors import InputError

_REMEDY = "give the same rows in the same order"


def require_same_rows(
    before: EmbeddingTable, after: EmbeddingTable, columns: Sequence[str]
) -> None:
    """Refuse a second table that is not of the same rows, as far as the labels tell.

    Parameters
    ----------
    before, after : EmbeddingTable
        The tables.
    columns : sequence of str
        Columns of the first that must say the same in the second, if it has them.

    Raises
    ------
    InputError
        If the number of rows or a label differs; the message names the first such row.
    """
    if len(before) != len(after):
        raise InputError(
            f"{after.source}: expected {len(before)} rows as in {before.source}, found "
            f"{len(after)}; {_REMEDY}"
        )
    for name in columns:
        if name not in after.columns.column_names:
            continue
        ours, theirs = before.column(name).to_pylist(), after.column(name).to_pylist()
        for row, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            # A NaN differs from itself; both count as no label.
            if one != other and not (one != one and other != other):
                raise InputError(
                    f"{after.source}, row {row}: {name!r} is {other!r}, but {one!r} in "
                    f"{before.source}; {_REMEDY}"
                )
