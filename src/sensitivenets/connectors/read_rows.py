"""The rows of a table of a database, as record batches, in the order of its key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sensitivenets.connectors.postgres import Column, PostgresTable
from sensitivenets.connectors.vector_bytes import lists_of
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from psycopg import Connection

# What a column is read as: all else as text.
_KINDS: dict[str, tuple[pa.DataType, str]] = {
    "bool": (pa.bool_(), "bool"),
    **dict.fromkeys(("int2", "int4", "int8"), (pa.int64(), "int8")),
    **dict.fromkeys(("float4", "float8", "numeric"), (pa.float64(), "float8")),
}
_VECTORS = (pa.list_(pa.float32()), "vector")
_TEXT = (pa.string(), "text")


def describe_rows(table: PostgresTable, embedding: str) -> tuple[pa.Schema, int]:
    """Tell the columns and the number of rows.

    Parameters
    ----------
    table : PostgresTable
        The table.
    embedding : str
        Column of the embedding. Other columns of vectors are no labels and left out, if it is
        there.

    Returns
    -------
    pyarrow.Schema, int

    Raises
    ------
    InputError
        If the table cannot be read, or has no key to order its rows by.
    """
    with table.session() as connection:
        columns = table.columns(connection)
        table.order(connection, columns)
        readable = _readable_as(table, columns, embedding)
        fields = [
            pa.field(name, _kind(column)[0])
            for name, column in readable.items()
            if name == embedding or not column.holds_vectors or embedding not in readable
        ]
        return pa.schema(fields), _count(connection, table)


def row_batches(
    table: PostgresTable,
    embedding: str,
    names: Sequence[str],
    *,
    first: int,
    rows: int,
    batch_rows: int,
) -> Iterator[pa.RecordBatch]:
    """Read columns in one transaction, so that what others write in the meantime is not seen.

    Parameters
    ----------
    table : PostgresTable
        The table.
    embedding : str
        Column of the embedding.
    names : sequence of str
        Columns to read.
    first : int
        Rows to leave out.
    rows : int
        How many there were when the table was described.
    batch_rows : int
        Rows of a batch, at most.

    Yields
    ------
    pyarrow.RecordBatch
        In the order of the key.

    Raises
    ------
    InputError
        If the number of rows has changed.
    """
    from psycopg import IsolationLevel, sql

    with table.session() as connection:
        connection.read_only = True
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            found = _count(connection, table)
            if found != rows:
                raise InputError(
                    f"{table.shown}: had {rows} rows when it was opened and has {found} now; read "
                    "a table that does not change, such as one made by: create table ... as select"
                )
            columns = table.columns(connection)
            readable = _readable_as(table, columns, embedding)
            chosen = [readable[name] for name in names]
            query = sql.SQL("select {} from {} t order by {} offset {}").format(
                sql.SQL(", ").join(map(_expression, chosen)),
                table.name,
                sql.SQL(", ").join(
                    sql.Identifier("t", name) for name in table.order(connection, columns)
                ),
                sql.Literal(first),
            )
            with connection.cursor("rows", binary=True) as cursor:
                cursor.execute(query)
                while batch := cursor.fetchmany(batch_rows):
                    yield _record_batch(names, chosen, batch)


def _readable_as(
    table: PostgresTable, columns: dict[str, Column], embedding: str
) -> dict[str, Column]:
    """Return the columns by the name they are read under: the one of the URL as the embedding."""
    if table.column is None:
        return columns
    renamed = table.require(columns, table.column)
    others = {name: one for name, one in columns.items() if name not in {embedding, table.column}}
    return {embedding: renamed, **others}


def _kind(column: Column) -> tuple[pa.DataType, str]:
    return _VECTORS if column.holds_vectors else _KINDS.get(column.kind, _TEXT)


def _expression(column: Column) -> Any:
    from psycopg import sql

    return sql.SQL("{}::{}").format(sql.Identifier("t", column.name), sql.SQL(_kind(column)[1]))


def _record_batch(
    names: Sequence[str], columns: Sequence[Column], rows: Sequence[tuple[Any, ...]]
) -> pa.RecordBatch:
    arrays = [
        lists_of(values) if column.holds_vectors else pa.array(values, _kind(column)[0])
        for column, values in zip(columns, zip(*rows, strict=True), strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, names=list(names))


def _count(connection: Connection[Any], table: PostgresTable) -> int:
    from psycopg import sql

    found = connection.execute(sql.SQL("select count(*) from {}").format(table.name)).fetchone()
    assert found is not None
    return int(found[0])
