"""Commands on a table of a database: a column filled in place, and read like any other table."""

import json

import numpy as np
import pytest

from sensitivenets.datasets import synthetic_diveface
from sensitivenets.embeddings import canonical_values, read_table
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.maps.model_folder import load_model, save_model

pytest.importorskip("psycopg", reason="psycopg is not installed")


def fill(connection, table, width):
    connection.execute(
        "create table faces (id bigint primary key, subject text, gender text, "
        f"embedding vector({width}))"
    )
    rows = zip(
        range(len(table)),
        *(table.columns[name].to_pylist() for name in ("subject", "gender")),
        (str(row.tolist()) for row in table.vectors),
        strict=True,
    )
    with connection.cursor() as cursor:
        cursor.executemany("insert into faces values (%s, %s, %s, %s)", list(rows))


@pytest.fixture
def connection(database):
    import psycopg

    with psycopg.connect(database, autocommit=True) as connection:
        yield connection
        connection.execute("drop table if exists faces")


@pytest.fixture
def url(connection, database, place):
    """The table of the place, in the database; its password is no secret to this server."""
    fill(connection, read_table(place / "table.parquet"), 64)
    return f"{database.replace('postgres:@', 'postgres:pa55word@')}&table=faces"


def test_a_column_is_filled_and_what_is_left_to_do_is_said(run, folder, url):
    code, printed, err = run(
        *("transform", folder, url, "--key", "id", "--column", "embedding"),
        *("--to", "embedding_agnostic"),
    )
    assert (code, printed) == (0, "120 rows of 32 features: faces.embedding_agnostic\n")
    assert "map every query too" in err
    assert "create index concurrently on faces using hnsw (embedding_agnostic vector_cosi" in err
    assert "embedding leaks until it is gone: alter table faces drop column embedding" in err
    assert "still columns of faces, as they were: gender" in err
    after = read_table(f"{url}&column=embedding_agnostic").vectors
    np.testing.assert_array_equal(
        after, canonical_values(load_model(folder).map(read_table("table.parquet").vectors))
    )


def test_a_second_run_has_nothing_to_do(run, folder, url, connection):
    connection.execute("update faces set embedding = null where id = 5")
    fill_it = ("transform", folder, url, "--to", "a", "--json")
    assert json.loads(run(*fill_it)[1])["rows"] == 119
    found = json.loads(run(*fill_it)[1])
    assert (found["rows"], found["rows_in_all"], found["rows_without_embedding"]) == (0, 119, 1)
    assert found["table"] == "postgresql:///postgres?table=faces"


def test_a_table_of_a_database_may_be_written_to_a_file(run, folder, url, tmp_path):
    assert run("transform", folder, url, "--out", tmp_path / "a.parquet")[0] == 0
    assert run("transform", folder, "table.parquet", "--out", tmp_path / "b.parquet")[0] == 0
    one, other = (read_table(tmp_path / name) for name in ("a.parquet", "b.parquet"))
    np.testing.assert_array_equal(one.vectors, other.vectors)
    assert one.columns.column_names == ["id", "subject"]


def test_audit_and_verify_read_it(run, folder, url, tmp_path):
    assert run("transform", folder, url, "--to", "a")[0] == 0
    code, printed, _ = run(
        *("audit", url, f"{url}&column=a", "--attribute", "gender", "--identity", "subject"),
        *("--quick", "--n-jobs", "1", "--json", "--out", tmp_path / "report"),
    )
    assert code == 3, "so few rows leave a wide interval"
    after = json.loads(printed)["provenance"]["after"]
    assert (after["file"], after["rows"], after["features"]) == (
        "postgresql:///postgres?table=faces&column=a", 120, 32,
    )  # fmt: skip
    assert not any(b"pa55word" in path.read_bytes() for path in (tmp_path / "report").rglob("*.*"))
    verified = [
        json.loads(run("verify", where, "--identity", "subject", "--json")[1])["eer"]
        for where in (url, "table.parquet")
    ]
    assert verified[0] == verified[1]


def test_adapt_reads_it_block_by_block_and_shows_no_password(run, connection, database, tmp_path):
    made = synthetic_diveface(n_subjects=300, images_per_subject=3, dim=32, random_state=0)
    known = made.where("split", "fit")
    eraser = RoutedTransport(random_state=0)
    fitted = eraser.fit(known.vectors, sensitive={"gender": known.column("gender")})
    save_model(fitted, tmp_path / "routed")
    fill(connection, made.where("split", "attack_train"), 32)
    url = f"{database.replace('postgres:@', 'postgres:pa55word@')}&table=faces"
    code, printed, err = run(
        "adapt", tmp_path / "routed", url, "--identity", "subject", "--out", tmp_path / "own"
    )
    assert (code, err.strip()) == (0, "")
    assert printed.endswith(
        f"next: sensitivenets transform {tmp_path / 'own'} 'postgresql:///postgres?table=faces' "
        "--to embedding_agnostic\n"
    )
    assert "pa55word" not in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("URL",), "expected --out, a .parquet file or a folder; for a database, --to and a new"),
        (("URL", "--key", "id", "--out", "x.parquet"), "--key: is for a column of a database: ad"),
        (("URL", "--out", "folder"), "folder: tables are written as .parquet; choose"),
        (("table.parquet", "--out", "URL"), "faces: expected a file or a folder, found a table of"),
        (("table.parquet", "--to", "a"), "--to: is for a table of a database, such as 'postgresql"),
        (("URL", "--to", "a", "--out", "x"), "--out: is for --out; with --to all rows stay"),
        (("URL", "--to", "a", "--where", "id=1"), "--where: is for --out; with --to all rows st"),
        (("URL", "--to", "a", "--workers", "2"), "--engine: is for files; with --to, start the c"),
        (("URL", "--to", "a", "--column", "gender"), "column 'gender': expected a vector, a half"),
    ],
)
def test_what_does_not_go_together_is_told(run, folder, url, arguments, message):
    code, printed, err = run("transform", folder, *(url if a == "URL" else a for a in arguments))
    assert (code, printed) == (2, "")
    assert message in err
    assert "pa55word" not in err
