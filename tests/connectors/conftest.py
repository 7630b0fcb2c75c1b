import numpy as np
import pytest

ROWS = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)


@pytest.fixture
def rows():
    """Sixty embeddings of four features."""
    return ROWS


@pytest.fixture
def connection(database):
    """A connection to the database, in which what a test makes is gone when it ends."""
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection
        connection.execute("drop schema public cascade; create schema public")
        connection.execute("create extension vector")


@pytest.fixture
def faces(connection, database, rows):
    """The URL of a table of these rows: id from 1, a gender, every fourth one unlabelled."""
    connection.execute(
        "create table faces (id bigint primary key, gender text, embedding vector(4))"
    )
    values = [
        (k + 1, None if k % 4 == 3 else "fm"[k % 2], str(row.tolist()))
        for k, row in enumerate(rows)
    ]
    with connection.cursor() as cursor:
        cursor.executemany("insert into faces values (%s, %s, %s)", values)
    return f"{database}&table=faces"
