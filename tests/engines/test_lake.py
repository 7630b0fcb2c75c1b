"""A bucket and a cluster: fit, protect and audit as they are typed, equal to one process."""

import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow.fs import FileSelector

from sensitivenets.embeddings import EmbeddingTable, drawn_rows, read_table, write_table
from sensitivenets.embeddings.location import find_place
from sensitivenets.embeddings.writing import table_writer
from sensitivenets.maps.model_folder import load_model
from sensitivenets.tradeoff import protect_source

pytestmark = [
    pytest.mark.slow,
    # Ray leaves sockets and files of its own to the garbage collector.
    pytest.mark.filterwarnings("ignore"),
]
PARTS, ROWS = 3, 500


def people(seed, n):
    """Rows of two a subject, whose gender is in one direction."""
    rng = np.random.default_rng(seed)
    gender = np.repeat(rng.integers(2, size=n // 2), 2)
    X = np.repeat(rng.standard_normal((n // 2, 8)), 2, axis=0) + 0.3 * rng.standard_normal((n, 8))
    X[:, 0] += 2 * gender
    columns = {"gender": np.array(["f", "m"])[gender], "subject": seed * n + np.arange(n) // 2}
    return EmbeddingTable(X.astype(np.float32), pa.table(columns))


def reports(folder):
    """What an audit found, but for where its tables were."""
    found = json.loads((folder / "audit.json").read_text())
    return {key: value for key, value in found.items() if key not in {"provenance", "maps"}}


@pytest.fixture(scope="module")
def lake(bucket):
    """Three parts in a bucket: URL of a key, and the bucket's files."""
    url, files = bucket
    for k in range(PARTS):
        with table_writer(find_place(url(f"faces/{k}.parquet"))) as write:
            write(people(k, ROWS))
    return url, files


@pytest.fixture
def few_are_many(monkeypatch):
    monkeypatch.setattr(drawn_rows, "MOST_ROWS", 1000)
    monkeypatch.setattr(protect_source, "_ATTACKED", 400)
    monkeypatch.setitem(drawn_rows.draw_rows.__kwdefaults__, "most", 400)


def test_three_commands_do_on_a_bucket_and_a_cluster_what_one_process_does(
    run, lake, cluster, few_are_many, tmp_path
):
    url, files = lake
    known = tmp_path / "labelled.parquet"
    write_table(people(9, 600), known)
    gone = ("--remove", "gender")
    for engine in ("process", "ray"):
        here = tmp_path / engine
        here.mkdir()
        on = ("--engine", engine)
        out = url(f"protected-{engine}")
        code, _, err = run(*(
            "fit",
            url("faces"),
            *gone,
            "--method",
            "leace",
            *on,
            "--out",
            here / "model",
        ))
        assert code == 0, err
        code, text, err = run(
            *("protect", url("faces"), "--reference", known, *gone, "--identity", "subject"),
            *("--quick", *on, "--out", out),
        )
        assert code == 0, err
        assert "drawn: 200 of 750 subjects with 400 of 1500 rows" in text
        table = url(f"protected-{engine}/table")
        code, _, err = run(
            *("audit", url("faces"), table, "--attribute", "gender", "--quick", *on),
            *("--identity", "subject", "--out", here / "report"),
        )
        assert code == 3, err  # so few rows leave a wide interval
        assert "drawn: " in err
    one, other = (load_model(tmp_path / engine / "model") for engine in ("process", "ray"))
    assert one.fingerprint == other.fingerprint
    for name, array in one.map.arrays().items():
        np.testing.assert_array_equal(other.map.arrays()[name], array)
    found = files.get_file_info(FileSelector("lake/protected-ray", recursive=True))
    paths = {one.path.removeprefix("lake/protected-ray/") for one in found if one.is_file}
    assert {"table/0.parquet", "table/1.parquet", "table/2.parquet"} < paths
    for path in paths:
        if path.startswith(("table/", "model/")):
            left, right = (
                files.open_input_file(f"lake/protected-{engine}/{path}").read()
                for engine in ("process", "ray")
            )
            assert left == right, path
    assert len(read_table(url("protected-ray/table"))) == PARTS * ROWS
    # Though some rows only were drawn, all of which the map was adapted to.
    assert reports(tmp_path / "ray" / "report")["rows"]["kind"] == "held"
    assert reports(tmp_path / "process" / "report") == reports(tmp_path / "ray" / "report")
