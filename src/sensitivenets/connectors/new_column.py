"""The column that is to be filled: made or taken over, once, and only by the map that began it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sensitivenets.connectors.postgres import Column, PostgresTable
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from psycopg import Connection

# A new column locks out all readers, who queue behind whoever waits for it.
_LOCK_TIMEOUT = "5s"


@dataclass(frozen=True)
class Target:
    """The columns of a table that is being mapped, checked.

    Attributes
    ----------
    table : PostgresTable
        The table.
    key : Column
        Unique and never null.
    source : Column
        The embeddings.
    to : str
        The column that is filled.
    vector_type : int
        What the database calls the type ``vector``: its oid.
    """

    table: PostgresTable
    key: Column
    source: Column
    to: str
    vector_type: int


def prepared(
    connection: Connection[Any],
    table: PostgresTable,
    to: str,
    n_features: tuple[int, int],
    mark: str,
) -> Target:
    """Check the columns, and make the new one if it is not there.

    Parameters
    ----------
    connection : psycopg.Connection
        To the database.
    table : PostgresTable
        The table, with the column of the embeddings.
    to : str
        The new column.
    n_features : (int, int)
        Features of an embedding, and of what the map makes of it.
    mark : str
        Which map it is; becomes, with the name of the column that is read, its comment.

    Returns
    -------
    Target

    Raises
    ------
    InputError
        If a column is not what it should be, or the new one is another map's.
    """
    from psycopg import errors, sql

    columns = table.columns(connection)
    assert table.column is not None
    source = table.require(columns, table.column)
    key = _unique_key(table, columns, table.order(connection, columns))
    if to in {source.name, key.name}:
        raise InputError(f"{table.shown}: --to {to}: expected a new column, found one that is read")
    _require_width(connection, table, source, n_features[0])
    mark = f"sensitivenets: {mark}, from {source.name}"
    try:
        with connection.transaction():
            # Workers that begin at once make the column once.
            connection.execute(sql.SQL("set local lock_timeout = {}").format(_LOCK_TIMEOUT))
            connection.execute("select pg_advisory_xact_lock(hashtext(%s))", [mark])
            columns = table.columns(connection)
            if to not in columns:
                connection.execute(
                    sql.SQL("alter table {} add column {} vector({})").format(
                        table.name, sql.Identifier(to), sql.Literal(n_features[1])
                    )
                )
            else:
                _require_target(table, columns[to], n_features[1])
            _take_over(connection, table, to, mark)
    except errors.LockNotAvailable as error:
        raise InputError(
            f"{table.shown}: the column {to!r} could not be made within {_LOCK_TIMEOUT}, because a "
            "long transaction uses the table; end it, or try again"
        ) from error
    found = connection.execute("select 'vector'::regtype::oid").fetchone()
    assert found is not None
    return Target(table, key, source, to, int(found[0]))


def _unique_key(table: PostgresTable, columns: dict[str, Column], order: tuple[str, ...]) -> Column:
    if len(order) > 1:
        raise InputError(
            f"{table.shown}: its primary key is of {len(order)} columns, {', '.join(order)}; name "
            "one that is unique by itself with --key"
        )
    key = columns[order[0]]
    if not (key.unique and key.required):
        raise InputError(
            f"{table.shown}: column {key.name!r} does not tell rows apart: it has no unique index, "
            "or may be null; name the primary key with --key"
        )
    return key


def _require_width(
    connection: Connection[Any], table: PostgresTable, source: Column, n_features: int
) -> None:
    from psycopg import sql

    if not source.holds_vectors:
        raise InputError(
            f"{table.shown}: column {source.name!r}: expected a vector, a halfvec or an array of "
            f"floats, found {source.declared}; name the embedding with --column"
        )
    query = sql.SQL("select vector_dims({0}::vector) from {1} where {0} is not null limit 1")
    found = connection.execute(query.format(sql.Identifier(source.name), table.name)).fetchone()
    width = source.width if found is None else int(found[0])
    if width not in {None, n_features}:
        raise InputError(
            f"{table.shown}: expected embeddings of {n_features} features as the model was fitted "
            f"on, found {width} in column {source.name!r}; use the network that made the training "
            "embeddings"
        )


def _require_target(table: PostgresTable, column: Column, n_features: int) -> None:
    fits = column.kind in {"vector", "halfvec"} and column.width in {None, n_features}
    if not fits:
        raise InputError(
            f"{table.shown}: column {column.name!r}: expected vector({n_features}) or "
            f"halfvec({n_features}), found {column.declared}; give --to another name"
        )


def _take_over(connection: Connection[Any], table: PostgresTable, to: str, mark: str) -> None:
    """Refuse a column that holds what another map made, and mark one that is empty."""
    from psycopg import sql

    name = table.name.as_string(connection)
    query = (
        "select col_description(attrelid, attnum) from pg_attribute "
        "where attrelid = to_regclass(%s) and attname = %s"
    )
    row = connection.execute(query, [name, to]).fetchone()
    comment = None if row is None else row[0]
    if comment == mark:
        return
    filled = sql.SQL("select exists (select from {} where {} is not null)").format(
        table.name, sql.Identifier(to)
    )
    if connection.execute(filled).fetchone() == (True,):
        raise InputError(
            f"{table.shown}: column {to!r} holds what another map made: expected the comment "
            f"{mark!r}, found {comment!r}; give --to another name, or drop the column"
        )
    connection.execute(
        sql.SQL("comment on column {} is {}").format(
            sql.Identifier(*table.path, to), sql.Literal(mark)
        )
    )
