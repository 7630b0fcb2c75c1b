"""A folder in, a folder out: the same files, whole or not there, whatever happens in between."""

import os
import signal
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sensitivenets.embeddings import EmbeddingTable, canonical_values, read_table, write_table
from sensitivenets.embeddings.location import find_place
from sensitivenets.embeddings.source import open_table
from sensitivenets.engines import InProcess
from sensitivenets.engines.processes import Processes
from sensitivenets.errors import InputError
from sensitivenets.maps.transform_files import (
    Transformation,
    transform_to_file,
    transform_to_folder,
)


@pytest.fixture
def parts(tmp_path):
    """Four files in two folders, sorted apart from how they are numbered."""
    rng = np.random.default_rng(0)
    for k, name in enumerate(("a/2", "a/1", "b/3", "b/0")):
        X = rng.standard_normal((10 + k, 4)).astype(np.float32)
        columns = pa.table({
            "id": [f"{k}-{row}" for row in range(10 + k)],
            "gender": ["f"] * len(X),
        })
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        write_table(EmbeddingTable(X, columns), tmp_path / "in" / f"{name}.parquet")
    return tmp_path / "in"


@pytest.fixture
def phi(model):
    return Transformation(model, "model")


def run(phi, source, out, **options):
    return transform_to_folder(phi, open_table(source), find_place(out), **options)


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("engine", [InProcess(1), InProcess(3), Processes(2)], ids=repr)
def test_a_file_in_is_a_file_out_with_its_labels_in_its_order(phi, parts, tmp_path, engine):
    written = run(phi, parts, tmp_path / "out", engine=engine)
    assert (written.rows, written.parts, written.found) == (46, 4, 0)
    assert set(contents(tmp_path / "out")) == set(contents(parts))
    for name in contents(parts):
        before, after = read_table(parts / name), read_table(tmp_path / "out" / name)
        expected = canonical_values(phi.model.map(before.vectors))
        np.testing.assert_array_equal(after.vectors, expected)
        assert after.columns.to_pydict() == {"id": before.columns["id"].to_pylist()}


def test_a_folder_to_one_file_is_all_rows_in_order(phi, parts, tmp_path):
    transform_to_file(phi, open_table(parts), find_place(tmp_path / "all.parquet"))
    before, after = read_table(parts), read_table(tmp_path / "all.parquet")
    assert after.columns["id"].equals(before.columns["id"])
    assert len(after) == 46


KILLED_IN_THE_THIRD_FILE = """
import os, signal, sys
import pyarrow.parquet as pq
from sensitivenets.cli import main
whole, seen = pq.ParquetWriter.write_table, []
def write(self, *args, **kwargs):
    whole(self, *args, **kwargs)
    seen.append(1)
    if len(seen) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
pq.ParquetWriter.write_table = write
main(sys.argv[1:])
"""


def test_a_run_that_was_killed_is_taken_up_and_leaves_no_orphan(phi, parts, tmp_path, model):
    from sensitivenets.maps.model_folder import save_model

    save_model(model, tmp_path / "model")
    command = ["transform", "model", "in", "--out", "out", "--workers", "1"]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_IN_THE_THIRD_FILE, *command], cwd=tmp_path, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    left = sorted(contents(tmp_path / "out"))
    assert [name for name in left if name.endswith(".parquet")] == ["a/1.parquet", "a/2.parquet"]
    assert [name for name in left if name.endswith(".unfinished")] == left[2:] != []
    first = (tmp_path / "out" / "a" / "1.parquet").stat().st_mtime_ns
    written = run(phi, parts, tmp_path / "out")
    assert (written.parts, written.found) == (4, 2)
    assert sorted(contents(tmp_path / "out")) == sorted(contents(parts))
    assert (tmp_path / "out" / "a" / "1.parquet").stat().st_mtime_ns == first
    run(phi, parts, tmp_path / "straight")
    assert contents(tmp_path / "out") == contents(tmp_path / "straight")


def test_what_a_lost_machine_had_begun_does_not_stay(phi, parts, tmp_path):
    class LosesAMachine(InProcess):
        def map(self, function, parts):
            yield from super().map(function, parts)
            (tmp_path / "out" / "a" / ".1.parquet.0123abcd.unfinished").touch()

    run(phi, parts, tmp_path / "out", engine=LosesAMachine(1))
    assert sorted(contents(tmp_path / "out")) == sorted(contents(parts))


def test_a_part_that_fails_leaves_nothing_half_written(phi, parts, tmp_path):
    (parts / "b" / "0.parquet").unlink()
    write_table(EmbeddingTable(np.ones((3, 5), np.float32), pa.table({})), parts / "b/0.parquet")
    with pytest.raises(InputError, match=r"b/0\.parquet: expected embeddings of 4 features as mod"):
        run(phi, parts, tmp_path / "out")
    assert set(contents(tmp_path / "out")) <= {"a/1.parquet", "a/2.parquet", "b/3.parquet"}


@pytest.mark.parametrize("change", ["model", "rows", "stranger", "fewer"])
def test_what_was_made_otherwise_is_not_taken_for_done(phi, parts, tmp_path, model, change):
    run(phi, parts, tmp_path / "out")
    if change == "model":
        import dataclasses

        other = dataclasses.replace(model.map, weight=model.map.weight + 1)
        phi = Transformation(dataclasses.replace(model, map=other), "other")
    elif change == "rows":
        path = parts / "a" / "1.parquet"
        write_table(read_table(path), path)
        os.utime(path, (1, 1))
    elif change == "stranger":
        write_table(read_table(parts / "a" / "1.parquet"), tmp_path / "out" / "a" / "1.parquet")
    else:
        (parts / "a" / "1.parquet").unlink()
    message = "add --overwrite"
    with pytest.raises(InputError, match=message):
        run(phi, parts, tmp_path / "out")
    written = run(phi, parts, tmp_path / "out", overwrite=True)
    assert set(contents(tmp_path / "out")) == set(contents(parts))
    assert written.found == {"model": 0, "rows": 3, "stranger": 3, "fewer": 3}[change]


def test_tables_of_somebody_else_are_never_removed(phi, parts, tmp_path, table):
    write_table(table, tmp_path / "out" / "mine.parquet")
    for overwrite in (False, True):
        with pytest.raises(InputError, match=r"mine\.parquet: is not made from any of these files"):
            run(phi, parts, tmp_path / "out", overwrite=overwrite)
    assert set(contents(tmp_path / "out")) == {"mine.parquet"}


@pytest.mark.parametrize("out", ["in", "in/a", "."])
def test_out_is_not_where_the_next_run_would_read(phi, parts, tmp_path, out):
    with pytest.raises(InputError, match="the folder of the files to be transformed; choose"):
        run(phi, parts, (tmp_path / out).resolve())


def test_folders_that_say_what_the_model_removes_are_refused(model, parts, tmp_path):
    (parts / "a").rename(parts / "gender=f")
    (parts / "b").rename(parts / "gender=m")
    for path in parts.rglob("*.parquet"):
        table = read_table(path)
        write_table(EmbeddingTable(table.vectors, table.columns.select(["id"])), path)
    with pytest.raises(InputError, match="its folder is named by 'gender', which the model remov"):
        run(Transformation(model, "model"), parts, tmp_path / "out")
    run(Transformation(model, "model", ("gender",)), parts, tmp_path / "out")
    made = pq.read_schema(tmp_path / "out" / "gender=f" / "1.parquet")
    assert made.names == ["embedding", "id"]
    assert "gender" in open_table(tmp_path / "out").labels.names


def test_two_files_that_would_be_one_are_refused(phi, parts, tmp_path):
    (parts / "a" / "1.jsonl").write_text('{"embedding": [1, 2, 3, 4], "id": "x", "gender": "f"}\n')
    with pytest.raises(InputError, match=r"written to a/1\.parquet, as .* is; rename one of them"):
        run(phi, parts, tmp_path / "out")


def test_only_rows_that_meet_a_condition_are_written(phi, parts, tmp_path):
    source = open_table(parts, conditions=[("id", "2-3")])
    written = transform_to_folder(phi, source, find_place(tmp_path / "out"))
    assert (written.rows, written.parts) == (1, 1)
    assert set(contents(tmp_path / "out")) == {"b/3.parquet"}
