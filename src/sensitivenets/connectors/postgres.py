"""A table of a PostgreSQL database: what its URL says, how to reach it, which columns it has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composed

_SCHEME = re.compile(r"postgres(ql)?://")
_EXAMPLE = "postgresql://host/database?table=faces"
_LISTS = frozenset({"vector", "halfvec", "sparsevec", "_float4", "_float8"})
_SHOWN = 12


def is_postgres_url(where: str) -> bool:
    """Whether a text is the URL of a PostgreSQL database."""
    return _SCHEME.match(where) is not None


@dataclass(frozen=True)
class Column:
    """A column of a table, as the database describes it.

    Attributes
    ----------
    name : str
        Its name.
    kind : str
        The short name of its type, such as ``"int8"``, ``"vector"`` or ``"_float4"`` (an array).
    declared : str
        The type in full, such as ``"vector(512)"``.
    width : int or None
        Features of a vector, where its type says so.
    required : bool
        Whether it is declared not to be null.
    unique : bool
        Whether an index says that no two rows have one value.
    """

    name: str
    kind: str
    declared: str
    width: int | None
    required: bool
    unique: bool

    @property
    def holds_vectors(self) -> bool:
        """Whether each row is a vector or an array of floats."""
        return self.kind in _LISTS


@dataclass(frozen=True, repr=False)
class PostgresTable:
    """A table and where it is. It may hold a password, and shows none.

    Attributes
    ----------
    url : str
        The database, for libpq.
    path : tuple of str
        Name of the table, with its schema in front if it was given.
    key : str or None
        Column that orders the rows; the primary key unless given.
    column : str or None
        Column that is read as the embedding, if not the one that is asked for by name.
    shown : str
        The URL for messages, without user, password and options.
    """

    url: str
    path: tuple[str, ...]
    key: str | None
    column: str | None
    shown: str

    def __repr__(self) -> str:
        return f"PostgresTable({self.shown!r})"

    @property
    def name(self) -> Composed:
        """The quoted name of the table."""
        from psycopg import sql

        return sql.Composed([sql.Identifier(*self.path)])

    @contextmanager
    def session(self) -> Iterator[Connection[Any]]:
        """Connect, and close the connection when done.

        Raises
        ------
        InputError
            If psycopg is not installed, or the database cannot be reached or refuses something.
        """
        try:
            import psycopg
        except ImportError as error:
            raise InputError(
                f"{self.shown}: a database needs psycopg: pip install 'sensitivenets[pgvector]'"
            ) from error
        try:
            # Poolers such as PgBouncer may give each transaction another server process, which
            # does not know what was prepared.
            connection = psycopg.connect(self.url, autocommit=True, prepare_threshold=None)
        except psycopg.Error as error:
            raise InputError(
                f"{self.shown}: cannot be reached: {_first_line(error)}; expected {_EXAMPLE}"
            ) from error
        with connection:
            try:
                yield connection
            except psycopg.Error as error:
                raise InputError(f"{self.shown}: {_first_line(error)}") from error

    def columns(self, connection: Connection[Any]) -> dict[str, Column]:
        """Return the columns of the table, by name.

        Raises
        ------
        InputError
            If there is no such table; the message names those there are.
        """
        found = connection.execute(_COLUMNS, {"table": self.name.as_string(connection)}).fetchall()
        if not found:
            tables = [row[0] for row in connection.execute(_TABLES, {"limit": _SHOWN}).fetchall()]
            raise InputError(
                f"{self.shown}: no table {'.'.join(self.path)!r}; the database has "
                f"{', '.join(map(repr, tables)) or 'none'}"
            )
        return {row[0]: Column(*row) for row in found}

    def order(self, connection: Connection[Any], columns: dict[str, Column]) -> tuple[str, ...]:
        """Return the columns that order the rows: `key`, or the primary key.

        Raises
        ------
        InputError
            If the table has neither.
        """
        if self.key is not None:
            return (self.require(columns, self.key).name,)
        name = {"table": self.name.as_string(connection)}
        found = connection.execute(_PRIMARY_KEY, name).fetchall()
        if not found:
            raise InputError(
                f"{self.shown}: has no primary key; name the column that tells its rows apart: "
                f"{self.shown}&key=id"
            )
        return tuple(row[0] for row in found)

    def require(self, columns: dict[str, Column], name: str) -> Column:
        """Return a column.

        Raises
        ------
        InputError
            If it is not there; the message names those there are.
        """
        if name not in columns:
            raise InputError(
                f"{self.shown}: no column {name!r}; it has {', '.join(map(repr, columns))}"
            )
        return columns[name]


def parse_postgres(url: str, *, key: str | None = None, column: str | None = None) -> PostgresTable:
    """Take a URL apart: ``postgresql://host/database?table=faces``.

    Parameters
    ----------
    url : str
        As libpq reads it, with ``table``, and ``key`` and ``column`` if they are wanted, among its
        options. A dot in ``table`` is between schema and name.
    key, column : str, optional
        Put in place of those in the URL.

    Returns
    -------
    PostgresTable

    Raises
    ------
    InputError
        If it names no table.
    """
    address, _, options = url.partition("?")
    pairs = [pair for pair in options.split("&") if pair]
    own: dict[str, str] = {}
    others = []
    for pair in pairs:
        name, _, value = pair.partition("=")
        if name in {"table", "key", "column"}:
            own[name] = unquote(value)
        else:
            others.append(pair)
    scheme, _, rest = address.partition("://")
    shown = f"{scheme}://{rest.rpartition('@')[2]}"
    if not own.get("table"):
        raise InputError(f"{shown}: expected the name of a table, as in {_EXAMPLE}")
    shown += f"?table={own['table']}"
    chosen = column or own.get("column")
    return PostgresTable(
        url=address + ("?" + "&".join(others) if others else ""),
        path=tuple(own["table"].split(".")),
        key=key or own.get("key"),
        column=chosen,
        shown=f"{shown}&column={own['column']}" if "column" in own else shown,
    )


def _first_line(error: Exception) -> str:
    diagnosis = getattr(error, "diag", None)
    text = getattr(diagnosis, "message_primary", None) or str(error)
    return text.splitlines()[0] if text else type(error).__name__


_COLUMNS = """
select a.attname, t.typname, format_type(a.atttypid, a.atttypmod),
    case when t.typname in ('vector', 'halfvec') and a.atttypmod > 0 then a.atttypmod end,
    a.attnotnull,
    exists (
        select from pg_index i
        where i.indrelid = a.attrelid and i.indisunique and i.indisvalid and i.indpred is null
            and i.indnkeyatts = 1 and i.indkey[0] = a.attnum
    )
from pg_attribute a join pg_type t on t.oid = a.atttypid
where a.attrelid = to_regclass(%(table)s) and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""

_PRIMARY_KEY = """
select a.attname
from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
where i.indrelid = to_regclass(%(table)s) and i.indisprimary
order by array_position(i.indkey::int2[], a.attnum)
"""

_TABLES = """
select oid::regclass::text from pg_class
where relkind in ('r', 'p', 'v', 'm', 'f')
    and relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
order by relname limit %(limit)s
"""
