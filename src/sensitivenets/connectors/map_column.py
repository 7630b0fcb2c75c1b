"""Map a column of embeddings into a new column, where the rows are.

The new column is the journal: a row whose value is null has not been mapped. Each batch is one
transaction that locks rows, maps them and writes them, so that whatever is killed, and whenever,
its rows are unlocked and still null. Each worker goes through the key twice: first past rows that
others hold, then waiting for them, in case their holders give them up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sensitivenets.connectors.new_column import Target, prepared
from sensitivenets.connectors.postgres import PostgresTable
from sensitivenets.connectors.vector_bytes import array_of_vectors, lists_of
from sensitivenets.errors import InputError
from sensitivenets.progress import Progress

if TYPE_CHECKING:
    from psycopg import Connection

Matrix = npt.NDArray[np.float32]

#: Rows of a transaction: locked for as long as it takes to map and to write them.
BATCH_ROWS = 1000


@dataclass(frozen=True)
class MappedColumn:
    """What was done to a table.

    Attributes
    ----------
    rows : int
        Rows that this call mapped.
    in_all : int
        Rows that are mapped now, by this call, by earlier ones and by other workers.
    without : int
        Rows that have no embedding, and are left alone.
    columns : tuple of str
        All columns of the table.
    """

    rows: int
    in_all: int
    without: int
    columns: tuple[str, ...]


def map_column(
    table: PostgresTable,
    transform: Callable[[Matrix], Matrix],
    *,
    to: str,
    n_features: tuple[int, int],
    mark: str,
    batch_rows: int = BATCH_ROWS,
    progress: Progress | None = None,
) -> MappedColumn:
    """Fill a column with the mapped embeddings of another, from where an earlier call stopped.

    Any number of workers may do so at once.

    Parameters
    ----------
    table : PostgresTable
        The table, with the column of the embeddings.
    transform : callable
        Maps (n, d) to (n, k); float32.
    to : str
        Column to fill; made if it is not there.
    n_features : (int, int)
        d and k.
    mark : str
        Which map it is. Kept as the comment of the column, so that no other map fills the rest.
    batch_rows : int, default=1000
        Rows of a transaction.
    progress : Progress, optional
        Told of the rows that are done.

    Returns
    -------
    MappedColumn

    Raises
    ------
    InputError
        If a column is not what it should be, the new one is another map's, or an embedding cannot
        be used; what was written before stays, and the next call goes on behind it.
    """
    with table.session() as connection:
        target = prepared(connection, table, to, n_features, mark)
        _, before, total = _counts(connection, target)
        done = 0
        for waiting in (False, True):
            last: str | None = None
            while True:
                with connection.transaction():
                    keys, vectors = _claimed(connection, target, last, batch_rows, waiting=waiting)
                    if not keys:
                        break
                    _require_usable(target, keys, vectors)
                    _write(connection, target, keys, transform(vectors))
                last = keys[-1]
                done += len(keys)
                if progress is not None:
                    progress(min(before + done, total), total, "rows")
        without, in_all, _ = _counts(connection, target)
        return MappedColumn(done, in_all, without, tuple(table.columns(connection)))


def _counts(connection: Connection[Any], target: Target) -> tuple[int, int, int]:
    """Rows without an embedding, rows that are mapped, and rows with an embedding."""
    from psycopg import sql

    query = sql.SQL("select count(*) - count({0}), count({1}), count({0}) from {2}").format(
        sql.Identifier(target.source.name), sql.Identifier(target.to), target.table.name
    )
    found = connection.execute(query).fetchone()
    assert found is not None
    return int(found[0]), int(found[1]), int(found[2])


def _claimed(
    connection: Connection[Any],
    target: Target,
    last: str | None,
    batch_rows: int,
    *,
    waiting: bool,
) -> tuple[list[str], Matrix]:
    """Lock the next rows behind the key `last` that are not mapped, and return them."""
    from psycopg import sql

    # A bare name would be that of the text which is selected, and order it as text.
    key = sql.Identifier("t", target.key.name)
    kind = sql.SQL(target.key.declared)
    query = sql.SQL(
        "select {key}::text, t.{source}::vector from {table} t "
        "where t.{to} is null and t.{source} is not null {behind} "
        "order by {key} limit {limit} for update {skip}"
    ).format(
        key=key,
        source=sql.Identifier(target.source.name),
        table=target.table.name,
        to=sql.Identifier(target.to),
        behind=sql.SQL("" if last is None else "and {} > {}::{}").format(
            *(() if last is None else (key, sql.Literal(last), kind))
        ),
        limit=sql.Literal(batch_rows),
        skip=sql.SQL("" if waiting else "skip locked"),
    )
    # Of a column that was made just now the planner knows nothing, and would sort all that is left
    # for every batch.
    connection.execute("set local enable_sort = off")
    found = connection.cursor(binary=True).execute(query).fetchall()
    if not found:
        return [], np.empty((0, 0), dtype=np.float32)
    rows = lists_of([row[1] for row in found])
    widths = {len(row[1]) for row in found}
    if len(widths) > 1:
        raise InputError(
            f"{target.table.shown}: column {target.source.name!r}: rows of different length "
            f"between {target.key.name} = {found[0][0]!r} and {found[-1][0]!r}; embed all rows "
            "with one model"
        )
    return [row[0] for row in found], rows.flatten().to_numpy().reshape(len(found), -1)


def _require_usable(target: Target, keys: Sequence[str], vectors: Matrix) -> None:
    bad = np.flatnonzero(~vectors.any(axis=1) | ~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise InputError(
            f"{target.table.shown}: column {target.source.name!r}, {target.key.name} = "
            f"{keys[bad[0]]}: zero, NaN or infinite, which has no direction; set it to null or "
            "embed it again, and go on with the same command"
        )


def _write(
    connection: Connection[Any], target: Target, keys: Sequence[str], vectors: Matrix
) -> None:
    from psycopg import sql
    from psycopg.adapt import Dumper
    from psycopg.pq import Format

    class VectorsDumper(Dumper):
        """Hands on an array of vectors, whose type the statement tells."""

        format = Format.BINARY

        def dump(self, obj: memoryview) -> memoryview:
            return obj

    query = sql.SQL(
        "update {table} t set {to} = n.v from unnest(%t::text[]::{kind}[], %b::vector[]) n (k, v) "
        "where t.{key} = n.k"
    ).format(
        table=target.table.name,
        to=sql.Identifier(target.to),
        kind=sql.SQL(target.key.declared),
        key=sql.Identifier(target.key.name),
    )
    cursor = connection.cursor()
    cursor.adapters.register_dumper(memoryview, VectorsDumper)
    packed = memoryview(array_of_vectors(vectors, target.vector_type))
    cursor.execute(query, [list(keys), packed])
