"""The recipes of docs/arrow.md, each run as it stands there."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from sensitivenets.datasets import synthetic_diveface
from sensitivenets.embeddings import canonical_values, read_table, vectors_from_arrow, write_table
from sensitivenets.maps.model_folder import save_model
from sensitivenets.maps.projection import Projection

PAGE = (Path(__file__).parents[1] / "docs" / "arrow.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^## (.+?)\n.*?^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture
def recipe(tmp_path, model):
    """Run a recipe in a folder of its own; give that, and the embeddings that must come out."""
    table = synthetic_diveface(60, 2, dim=64)
    half = Projection(np.eye(64, 32, dtype=np.float32) + 1 / 64)
    write_table(table, tmp_path / "faces.parquet")
    save_model(dataclasses.replace(model, map=half), tmp_path / "model")

    def run(name, check="", **environment):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", RECIPES[name] + check],
            cwd=tmp_path,
            env=os.environ | {"PYSPARK_PYTHON": sys.executable} | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[:3000] + done.stderr[-3000:]
        return tmp_path, done.stdout

    return run, canonical_values(half(table.vectors)), table


def require_same(found, expected, table):
    np.testing.assert_array_equal(vectors_from_arrow(found["embedding"], "found"), expected)
    assert found["subject"].to_pylist() == table.columns["subject"].to_pylist()
    assert not {"gender", "ethnicity"} & set(found.column_names)


def test_each_recipe_is_short_and_has_its_test():
    assert len(RECIPES) == 7
    assert all(len(code.splitlines()) <= 30 for code in RECIPES.values())
    here = Path(__file__).read_text(encoding="utf-8")
    assert all(f'run("{name}"' in here for name in RECIPES)


def test_duckdb(recipe):
    duckdb = pytest.importorskip("duckdb")
    run, expected, table = recipe
    folder, _ = run("DuckDB")
    with duckdb.connect(str(folder / "faces.duckdb")) as made:
        require_same(made.sql("from agnostic").to_arrow_table(), expected, table)


@pytest.mark.slow
def test_hugging_face_datasets(recipe):
    pytest.importorskip("datasets")
    run, expected, _ = recipe
    folder, _ = run("Hugging Face datasets", HF_HOME="hf")
    made = read_table(folder / "agnostic")
    np.testing.assert_array_equal(made.vectors, expected)
    assert "gender" not in made.columns.column_names


@pytest.mark.slow
def test_lancedb(recipe):
    pytest.importorskip("lancedb")
    run, expected, table = recipe
    write = "\nimport pyarrow.parquet as w; w.write_table(agnostic_faces.to_arrow(), 'out.parquet')"
    folder, _ = run("LanceDB", write)
    require_same(pq.read_table(folder / "out.parquet"), expected, table)


def test_faiss(recipe):
    faiss = pytest.importorskip("faiss")
    run, expected, _ = recipe
    folder, printed = run("FAISS", "\nprint(rows[0][0], round(float(scores[0][0]), 4))")
    index = faiss.read_index(str(folder / "agnostic.faiss"))
    unit = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(index.reconstruct_n(0, index.ntotal), unit, atol=1e-6)
    assert printed.split() == ["0", "1.0"]


@pytest.mark.slow
def test_ray_data(recipe):
    pytest.importorskip("ray.data")
    run, expected, table = recipe
    # Else it joins whatever cluster runs on this machine.
    folder, _ = run("Ray Data", RAY_ADDRESS="local")
    require_same(pq.read_table(folder / "agnostic"), expected, table)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java")
def test_spark(recipe):
    pytest.importorskip("pyspark")
    run, expected, table = recipe
    folder, _ = run("Spark")
    require_same(pq.read_table(folder / "agnostic"), expected, table)


# The first Python worker that maps a batch kills the machine it runs on, which is a Java process:
# the parent of the daemon that forks workers.
KILL_AN_EXECUTOR = """
import os, signal
from pathlib import Path

class KillsOnce:
    def __init__(self, phi, flag):
        self.phi, self.flag = phi, flag

    def __call__(self, batches):
        for batch in batches:
            try:
                os.close(os.open(self.flag, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                pass
            else:
                status = Path(f"/proc/{os.getppid()}/status").read_text()
                os.kill(int(status.split("PPid:")[1].split()[0]), signal.SIGKILL)
            yield self.phi(batch)

from sensitivenets.arrow import agnostic
kills = KillsOnce(agnostic(model), os.path.abspath("killed"))
parts = faces.repartition(4, "subject")
parts.mapInArrow(lambda batches: kills(batches), columns).write.parquet("after_a_kill/")
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java")
def test_spark_loses_an_executor(recipe):
    pytest.importorskip("pyspark")
    run, expected, table = recipe
    cluster = "--master local-cluster[2,1,1024] pyspark-shell"
    folder, _ = run("Spark", KILL_AN_EXECUTOR, PYSPARK_SUBMIT_ARGS=cluster)
    assert (folder / "killed").exists()
    made = pq.read_table(folder / "after_a_kill")
    found = vectors_from_arrow(made["embedding"], "found")
    assert len(found) == len(table)
    # Rows are in another order, and of other batches, so that the last digit kept may differ.
    one, other = (rows[np.argsort(rows[:, 0])] for rows in (found, expected))
    np.testing.assert_allclose(one, other, rtol=2**-15, atol=1e-7)


@pytest.mark.slow
def test_daft(recipe):
    pytest.importorskip("daft")
    run, expected, table = recipe
    folder, _ = run("Daft")
    require_same(pq.read_table(folder / "agnostic"), expected, table)
