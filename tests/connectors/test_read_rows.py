"""A table of a database is read by the one reader of tables."""

import datetime
import uuid

import numpy as np
import pytest

from sensitivenets.embeddings import read_table
from sensitivenets.embeddings.source import open_table
from sensitivenets.errors import InputError


def test_rows_come_in_the_order_of_the_primary_key(faces, rows):
    table = read_table(faces)
    np.testing.assert_array_equal(table.vectors, rows)
    assert table.columns["id"].to_pylist() == list(range(1, 61))
    assert table.columns["gender"].to_pylist()[:4] == ["f", "m", "f", None]
    assert table.source == "postgresql:///postgres?table=faces"


def test_blocks_and_stretches_are_those_of_a_file(faces, rows):
    source = open_table(faces)
    blocks = list(source.blocks(["gender"], block_rows=7, start=10, stop=30))
    assert [block.start for block in blocks] == [10, 17, 24]
    np.testing.assert_array_equal(np.concatenate([b.vectors for b in blocks]), rows[10:30])
    assert open_table(faces, conditions=[("gender", "m")]).n_rows == 15
    assert source.read_labels(["id"])["id"].to_pylist() == list(range(1, 61))


@pytest.mark.parametrize("kind", ["halfvec", "real[]", "real[]::float8[]"])
def test_other_columns_of_vectors(connection, faces, rows, kind):
    connection.execute(
        f"alter table faces alter embedding type {kind.rpartition('::')[2]} using embedding::{kind}"
    )
    tolerance = 2e-3 if kind == "halfvec" else 1e-7
    np.testing.assert_allclose(read_table(faces).vectors, rows, atol=tolerance)


def test_a_column_of_each_feature(connection, faces, rows):
    connection.execute("create table wide (id int primary key, f1 real, f2 float8, f10 numeric)")
    connection.execute("insert into wide values (1, 1, 2, 10), (2, 3, 4, 30)")
    table = read_table(faces.replace("faces", "wide"), embedding="f*")
    np.testing.assert_array_equal(table.vectors, [[1, 2, 10], [3, 4, 30]])


def test_the_url_may_name_another_column_which_is_then_the_embedding(connection, faces, rows):
    connection.execute("alter table faces add other vector(4)")
    connection.execute("update faces set other = embedding * '[2,2,2,2]'::vector")
    table = read_table(f"{faces}&column=other")
    np.testing.assert_array_equal(table.vectors, 2 * rows)
    # The first one is then neither read nor a label.
    assert table.columns.column_names == ["id", "gender"]
    assert read_table(faces).columns.column_names == ["id", "gender"]


def test_labels_keep_their_types_or_become_text(connection, database):
    connection.execute(
        "create table kinds (key uuid primary key, n smallint, x numeric(4, 2), yes bool, "
        "day date, doc jsonb, embedding vector)"
    )
    key = uuid.UUID(int=1)
    row = (key, 3, 1.5, True, datetime.date(2020, 1, 2), '{"a": 1}', "[1,2]")
    connection.execute("insert into kinds values (%s, %s, %s, %s, %s, %s, %s)", row)
    (found,) = read_table(f"{database}&table=kinds").columns.to_pylist()
    assert found == {
        "key": str(key), "n": 3, "x": 1.5, "yes": True, "day": "2020-01-02", "doc": '{"a": 1}',
    }  # fmt: skip


def test_a_view_has_no_primary_key_and_is_read_by_the_one_that_is_named(connection, faces, rows):
    connection.execute('create view "Recent Faces" as select * from faces where id > 50')
    url = faces.replace("table=faces", "table=public.Recent%20Faces")
    with pytest.raises(InputError, match=r"Recent Faces: has no primary key; name .*&key=id$"):
        read_table(url)
    np.testing.assert_array_equal(read_table(f"{url}&key=id").vectors, rows[50:])


def test_a_table_that_changes_between_two_passes_is_told(connection, faces):
    source = open_table(faces)
    connection.execute("delete from faces where id = 7")
    with pytest.raises(InputError, match="had 60 rows when it was opened and has 59 now; read a"):
        source.read()


def test_what_others_write_during_a_pass_is_not_seen(connection, faces, rows):
    blocks = open_table(faces).blocks(block_rows=5)
    first = next(blocks)
    connection.execute("delete from faces where id > 10")
    connection.execute("update faces set embedding = '[9,9,9,9]'")
    found = np.concatenate([first.vectors, *(block.vectors for block in blocks)])
    np.testing.assert_array_equal(found, rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda url: url.replace("faces", "Faces"),
            r"no table 'Faces'; the database has 'faces'$",
        ),
        (lambda url: f"{url}&key=uid", r"no column 'uid'; it has 'id', 'gender', 'embedding'$"),
        (lambda url: f"{url}&column=vec", r"no column 'vec'; it has 'id', 'gender', 'embedding'$"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(faces, change, message):
    with pytest.raises(InputError, match=message):
        read_table(change(faces))


def test_another_name_of_the_embedding_is_told(connection, faces):
    connection.execute("alter table faces rename embedding to vec")
    with pytest.raises(InputError, match=r"no column 'embedding'; it has .*--embedding vec$"):
        read_table(faces)


def test_a_row_without_an_embedding_is_told(connection, faces):
    connection.execute("update faces set embedding = null where id = 3")
    with pytest.raises(InputError, match="row 2: no embedding"):
        read_table(faces)
