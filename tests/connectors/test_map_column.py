"""A column is mapped where the rows are: nothing lost, nothing done twice, whoever is killed."""

import os
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sensitivenets.connectors.map_column import map_column
from sensitivenets.connectors.postgres import parse_postgres
from sensitivenets.embeddings import read_table
from sensitivenets.errors import InputError


def half(vectors):
    return vectors[:, :2] / 3


def mapped(url, transform=half, *, key=None, to="agnostic", mark="model a", **options):
    table = parse_postgres(url, key=key, column="embedding")
    return map_column(table, transform, to=to, n_features=(4, 2), mark=mark, **options)


def written(url):
    return read_table(f"{url}&column=agnostic").vectors


@pytest.fixture
def writes(connection, faces):
    """How often each row's new column was written, by transactions that were committed."""
    connection.execute("alter table faces add agnostic vector(2)")
    connection.execute("create table writes (id bigint)")
    connection.execute(
        "create function log() returns trigger language plpgsql as "
        "'begin insert into writes values (new.id); return new; end'"
    )
    connection.execute(
        "create trigger log after update of agnostic on faces for each row execute function log()"
    )
    count = "select id, count(*) from writes group by id order by id"
    return lambda: connection.execute(count).fetchall()


ONCE = [(k, 1) for k in range(1, 61)]


def test_every_row_is_mapped_to_the_bit(connection, faces, rows):
    taken = []
    done = mapped(faces, lambda X: taken.append(X) or half(X), batch_rows=7)
    # In one go: the tenth row comes behind the ninth, as it would not if keys were text.
    np.testing.assert_array_equal(np.concatenate(taken), rows)
    assert (done.rows, done.in_all, done.without) == (60, 60, 0)
    assert done.columns == ("id", "gender", "embedding", "agnostic")
    np.testing.assert_array_equal(written(faces), half(rows))
    np.testing.assert_array_equal(read_table(faces).vectors, rows)


def test_progress_is_told_by_batch(faces):
    told = []
    mapped(faces, batch_rows=25, progress=lambda *step: told.append(step))
    assert told == [(25, 60, "rows"), (50, 60, "rows"), (60, 60, "rows")]


def test_a_stopped_call_is_taken_up_where_it_was(faces, rows, writes):
    calls = []

    def stops(vectors):
        calls.append(len(vectors))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return half(vectors)

    with pytest.raises(KeyboardInterrupt):
        mapped(faces, stops, batch_rows=10)
    assert len(writes()) == 30
    assert mapped(faces).rows == 30
    assert writes() == ONCE
    np.testing.assert_array_equal(written(faces), half(rows))


def test_rows_that_come_later_are_done_by_the_next_call(connection, faces):
    mapped(faces)
    connection.execute("insert into faces values (61, 'f', '[1,2,3,4]'), (62, 'f', null)")
    done = mapped(faces)
    assert (done.rows, done.in_all, done.without) == (1, 61, 1)


def test_several_workers_share_the_rows(faces, rows, writes):
    together = threading.Barrier(3, timeout=60)

    def first_together(vectors):
        # All three hold rows at once before any is written.
        if not together.broken and threading.get_ident() not in seen:
            seen.add(threading.get_ident())
            together.wait()
        return half(vectors)

    seen = set()
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: mapped(faces, first_together, batch_rows=5), range(3)))
    assert sum(one.rows for one in found) == 60
    assert all(one.rows for one in found)
    assert writes() == ONCE
    np.testing.assert_array_equal(written(faces), half(rows))


HOLDS_ITS_ROWS = """
import sys
from sensitivenets.connectors.map_column import map_column
from sensitivenets.connectors.postgres import parse_postgres

def half(vectors):
    half.calls += 1
    if half.calls == 2:
        print("holds rows", flush=True)
        sys.stdin.read()
    return vectors[:, :2] / 3

half.calls = 0
table = parse_postgres(sys.argv[1], column="embedding")
map_column(table, half, to="agnostic", n_features=(4, 2), mark="model a", batch_rows=10)
"""


def test_a_worker_killed_in_mid_transaction_leaves_its_rows_to_the_others(
    connection, faces, rows, writes, wait_until
):
    count = "select count(agnostic) from faces"
    doomed = subprocess.Popen(
        [sys.executable, "-c", HOLDS_ITS_ROWS, faces],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert doomed.stdout.readline() == "holds rows\n"
        assert connection.execute(count).fetchone() == (10,)
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(mapped, faces, batch_rows=10)
            # All but the ten rows that are held: for those it waits.
            wait_until(lambda: connection.execute(count).fetchone() == (50,), "the other worker")
            assert not other.done()
            os.kill(doomed.pid, signal.SIGKILL)
            assert other.result().rows == 50
    finally:
        doomed.kill()
        doomed.communicate()
    assert writes() == ONCE
    np.testing.assert_array_equal(written(faces), half(rows))


def test_another_map_does_not_fill_the_rest(connection, faces):
    mapped(faces)
    with pytest.raises(InputError, match=r"'agnostic' holds what another map made: expected .*b, "):
        mapped(faces, mark="model b")
    connection.execute("alter table faces add mine vector(2)")
    connection.execute("update faces set mine = '[1,2]' where id = 5")
    with pytest.raises(InputError, match=r"'mine' holds what another.*found None; give --to anoth"):
        mapped(faces, to="mine")


def test_an_empty_column_may_be_there_in_half_precision(connection, faces, rows):
    connection.execute("alter table faces add agnostic halfvec(2)")
    assert mapped(faces).rows == 60
    np.testing.assert_allclose(written(faces), half(rows), atol=2e-3)


@pytest.mark.parametrize("kind", ["uuid", "text", "timestamptz"])
def test_keys_of_other_types(connection, faces, rows, kind):
    make = {
        "uuid": "md5(id::text)::uuid",
        "text": "'it''s ' || id",
        "timestamptz": "timestamptz '2020-01-01' + id * interval '1 us'",
    }
    connection.execute(f'alter table faces add "a key" {kind}')
    connection.execute(f'update faces set "a key" = {make[kind]}')
    connection.execute('alter table faces alter "a key" set not null, add unique ("a key")')
    assert mapped(faces, key="a key", batch_rows=7).rows == 60
    np.testing.assert_array_equal(written(faces), half(rows))


def test_an_embedding_that_cannot_be_used_is_named_by_its_key(connection, faces):
    connection.execute("update faces set embedding = '[0,0,0,0]' where id = 42")
    with pytest.raises(InputError, match=r"'embedding', id = 42: zero, NaN or infinite.*set it to"):
        mapped(faces, batch_rows=10)
    connection.execute("update faces set embedding = null where id = 42")
    assert mapped(faces).in_all == 59


@pytest.mark.parametrize(
    ("sql", "options", "message"),
    [
        (None, {"key": "gender"}, "column 'gender' does not tell rows apart: it has no unique ind"),
        (None, {"to": "embedding"}, "--to embedding: expected a new column, found one that is rea"),
        (None, {"to": "gender"}, r"'gender': expected vector\(2\) or halfvec\(2\), found text; gi"),
        ("add other vector(3)", {"to": "other"}, r"expected vector\(2\) .*, found vector\(3\)"),
        (
            "alter embedding type vector(2) using '[1,2]'::vector",
            {},
            "expected embeddings of 4 features .*, found 2 in column 'embedding'",
        ),
        (
            "alter embedding type text",
            {},
            "'embedding': expected a vector, a halfvec or an array of floats, found text",
        ),
        (
            "drop constraint faces_pkey, add primary key (id, embedding)",
            {},
            "its primary key is of 2 columns, id, embedding; name one that is unique by itself",
        ),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_changed(
    connection, faces, sql, options, message
):
    if sql is not None:
        connection.execute(f"alter table faces {sql}")
    columns = "select count(*) from pg_attribute where attrelid = 'faces'::regclass"
    before = connection.execute(columns).fetchone()
    with pytest.raises(InputError, match=message):
        mapped(faces, **options)
    assert connection.execute(columns).fetchone() == before


def test_rows_of_different_length_are_told(connection, faces):
    connection.execute("alter table faces alter embedding type vector")
    connection.execute("update faces set embedding = '[1,2,3]' where id = 42")
    with pytest.raises(InputError, match="rows of different length between id = '41' and '50'"):
        mapped(faces, batch_rows=10)


def test_a_long_transaction_is_not_waited_for(connection, faces, database, monkeypatch):
    psycopg = pytest.importorskip("psycopg")
    monkeypatch.setattr("sensitivenets.connectors.new_column._LOCK_TIMEOUT", "50ms")
    with psycopg.connect(database) as other:
        other.execute("select * from faces")
        with pytest.raises(InputError, match="could not be made within 50ms, because a long trans"):
            mapped(faces)


def test_a_row_that_is_embedded_anew_is_mapped_anew_by_the_trigger_of_the_page(
    connection, faces, rows
):
    page = Path(__file__).parents[2] / "docs" / "databases.md"
    (trigger,) = re.findall(r"```sql\n(.*?)```", page.read_text(), re.DOTALL)
    mapped(faces, to="embedding_agnostic")
    connection.execute(trigger)
    connection.execute("update faces set embedding = '[3,6,9,9]' where id = 1")
    connection.execute("update faces set gender = 'x' where id = 2")
    assert mapped(faces, to="embedding_agnostic").rows == 1
    found = read_table(f"{faces}&column=embedding_agnostic").vectors
    np.testing.assert_array_equal(found, [[1, 2], *half(rows[1:])])
