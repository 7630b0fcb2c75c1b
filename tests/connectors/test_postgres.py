"""What a URL says of a table, without a database."""

import pytest

from sensitivenets.connectors.postgres import parse_postgres
from sensitivenets.embeddings import read_table
from sensitivenets.errors import InputError

SECRET = "postgresql://me:secret@host:5433/db?sslmode=require&table=a.faces&key=id&password=secret"


def test_the_table_is_told_from_what_libpq_reads():
    table = parse_postgres(SECRET)
    assert table.url == "postgresql://me:secret@host:5433/db?sslmode=require&password=secret"
    assert (table.path, table.key, table.column) == (("a", "faces"), "id", None)


def test_names_may_be_escaped_and_options_be_put_in_their_place():
    table = parse_postgres("postgres://h/db?table=my%26faces&key=id&column=x", key="uid")
    assert (table.path, table.key, table.column) == (("my&faces",), "uid", "x")
    assert table.url == "postgres://h/db"


def test_no_password_is_shown():
    table = parse_postgres(SECRET)
    assert table.shown == "postgresql://host:5433/db?table=a.faces"
    assert "secret" not in repr(table)


def test_a_table_must_be_named():
    with pytest.raises(
        InputError, match=r"^postgresql://h/db: expected the name of a table, as in"
    ):
        parse_postgres("postgresql://me:secret@h/db")


def test_a_database_that_is_not_there_is_told_without_the_password():
    pytest.importorskip("psycopg")
    with pytest.raises(InputError, match=r"^postgresql:///db\?table=faces: cannot be re") as error:
        read_table("postgresql://me:secret@/db?host=/nowhere&table=faces")
    assert "secret" not in str(error.value)


def test_without_psycopg_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(InputError, match=r"needs psycopg: pip install 'sensitivenets\[pgvector\]'"):
        read_table("postgresql://h/db?table=faces")
