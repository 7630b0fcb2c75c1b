"""A random sample of a table for people to label, and its labels put back into the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sensitivenets.embeddings import EmbeddingTable
from sensitivenets.errors import InputError

#: Column of a sample: where its rows are in the table they were drawn from.
ROW = "row"
#: Rows to label: enough for an interval of about six points to either side.
SAMPLE_ROWS = 300


def draw_sample(table: EmbeddingTable, n_rows: int, random_state: int = 0) -> EmbeddingTable:
    """Draw rows at random for people to label, so that what still leaks gets an interval.

    Parameters
    ----------
    table : EmbeddingTable
        To be protected.
    n_rows : int
        Rows to draw, or all if there are fewer.
    random_state : int, default=0
        The seed.

    Returns
    -------
    EmbeddingTable
        The rows with one more column, ``row``, their number in `table`.
    """
    rows = sample_rows(len(table), n_rows, random_state)
    return numbered(table.take(rows), rows)


def sample_rows(n_rows: int, n_drawn: int, random_state: int) -> npt.NDArray[np.int64]:
    """Draw the numbers of rows of a table, ascending; all if there are fewer."""
    rng = np.random.default_rng(random_state)
    return np.sort(rng.choice(n_rows, min(n_drawn, n_rows), replace=False))


def numbered(sample: EmbeddingTable, rows: npt.NDArray[np.int64]) -> EmbeddingTable:
    """Note in a column ``row`` where the rows of a sample are in their table."""
    columns = [name for name in sample.columns.column_names if name != ROW]
    return replace(
        sample, columns=sample.columns.select(columns).append_column(ROW, pa.array(rows))
    )


def rows_of(sample: EmbeddingTable, n_rows: int, table: str) -> npt.NDArray[np.int64]:
    """Return where the rows of a sample are in their table, in its own order.

    Raises
    ------
    InputError
        If it has no column ``row``, or the table, which is called `table`, has fewer rows.
    """
    rows = np.asarray(sample.column(ROW).to_numpy(), dtype=np.int64)
    if len(rows) and not (rows.min() >= 0 and rows.max() < n_rows):
        raise InputError(f"{sample.source}: column 'row' names rows that {table} has not")
    return rows


def with_sample(
    table: EmbeddingTable,
    sample: EmbeddingTable,
    names: Sequence[str],
    *,
    numbers: npt.NDArray[np.int64] | None = None,
) -> EmbeddingTable:
    """Put the labels of a sample where its rows are in the table; all other rows have none.

    Parameters
    ----------
    table : EmbeddingTable
        The table, or rows drawn of it, those of the sample among them.
    sample : EmbeddingTable
        See `draw_sample`; with labels.
    names : sequence of str
        Attributes to take.
    numbers : ndarray of shape (n,), int64, optional
        Where the rows of `table` are in the whole table, ascending; they are all unless given.

    Raises
    ------
    InputError
        If the sample has no column ``row``, its rows are not those of the table, or it has labels
        of none of the attributes.
    """
    if numbers is None:
        rows = rows_of(sample, len(table), table.source)
    else:
        rows = np.searchsorted(numbers, rows_of(sample, int(numbers[-1]) + 1, table.source))
    if not np.array_equal(sample.vectors, table.vectors[rows]):
        raise InputError(
            f"{sample.source}: its rows are not those of {table.source}; give the sample that was "
            "drawn from this table"
        )
    found = [name for name in names if name in sample.columns.column_names]
    if not found:
        raise InputError(f"{sample.source}: expected labels of {names[0]!r}, found no such column")
    columns = table.columns
    for name in found:
        labels = sample.labels(name)
        values: list[str | None] = [None] * len(table)
        for row, code in zip(rows, labels.codes, strict=True):
            values[row] = labels.classes[code] if code >= 0 else None
        if name in columns.column_names:
            columns = columns.drop_columns([name])
        columns = columns.append_column(name, pa.array(values, pa.string()))
    return replace(table, columns=columns)
