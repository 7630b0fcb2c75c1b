"""A real Ray cluster that loses a node in the middle of the work: equal to the last bit."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from sensitivenets.embeddings import EmbeddingTable, read_table, write_table
from sensitivenets.embeddings.location import find_place
from sensitivenets.embeddings.source import open_table
from sensitivenets.engines import InProcess, engine_named
from sensitivenets.erasers.fit_table import adapt_table, fit_table
from sensitivenets.erasers.linear.leace import LEACE
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.errors import InputError
from sensitivenets.maps.transform_files import Transformation, transform_to_folder
from sensitivenets.report import audit
from sensitivenets.report.audit_json import to_json

pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = [
    pytest.mark.slow,
    # Ray leaves sockets and files of its own to the garbage collector.
    pytest.mark.filterwarnings("ignore"),
]
N_ROWS, PARTS = 600_000, 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    rng = np.random.default_rng(0)
    for k in range(PARTS):
        gender = rng.integers(2, size=N_ROWS // PARTS)
        X = rng.standard_normal((len(gender), 16)).astype(np.float32)
        X[:, 0] += gender
        subject = (k * N_ROWS // PARTS + np.arange(len(gender))) // 3
        columns = pa.table({"gender": np.array(["f", "m"])[gender], "subject": subject})
        write_table(EmbeddingTable(X, columns), folder / f"{k}.parquet")
    return folder


def test_a_fit_is_the_same_though_a_node_is_lost(losing_a_node, folder):
    for eraser in (LEACE(random_state=0), RoutedTransport(n_rounds=1, random_state=0)):
        expected, found = (
            fit_table(eraser, folder, sensitive=["gender"], engine=engine).model_
            for engine in (InProcess(1), losing_a_node())
        )
        assert found.fingerprint == expected.fingerprint
        for name, array in expected.map.arrays().items():
            np.testing.assert_array_equal(found.map.arrays()[name], array)


def test_a_folder_is_the_same_though_a_node_is_lost(losing_a_node, folder, tmp_path):
    model = fit_table(LEACE(random_state=0), folder, sensitive=["gender"]).model_
    for name, engine in (("one", InProcess(1)), ("other", losing_a_node())):
        out = find_place(tmp_path / name)
        written = transform_to_folder(
            Transformation(model, "model"), open_table(folder), out, engine=engine
        )
        assert written.rows == N_ROWS
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()
    assert len(list((tmp_path / "other").iterdir())) == PARTS


def test_a_part_that_fails_is_named(cluster):
    with pytest.raises(InputError, match=r"^part-0\.parquet: no such file or folder$"):
        list(engine_named("ray").map(open_table, ["part-0.parquet", "part-1.parquet"]))


@pytest.mark.parametrize("by", [{}, {"identity": "subject"}], ids=str)
def test_an_adapted_model_is_the_same_though_a_node_is_lost(losing_a_node, folder, by):
    eraser = RoutedTransport(n_rounds=1, random_state=0)
    parent = fit_table(eraser, folder, sensitive=["gender"]).model_
    expected, found = (
        adapt_table(parent, folder, **by, trust=True, engine=engine)
        for engine in (InProcess(1), losing_a_node())
    )
    assert found.adapted.record() == expected.adapted.record()
    assert found.model.fingerprint == expected.model.fingerprint
    for name, array in expected.model.map.arrays().items():
        np.testing.assert_array_equal(found.model.map.arrays()[name], array)


def test_an_audit_is_the_same_though_a_node_is_lost(losing_a_node, folder):
    table = read_table(folder / "0.parquet").take(np.arange(600))
    expected, found = (
        audit(table, None, "gender", quick=True, n_jobs=1, engine=engine)
        for engine in (None, losing_a_node())
    )
    assert to_json(found) == to_json(expected)


# Its parts say that they have begun, and end when they are told to.
DRIVER = """
import sys, time
from pathlib import Path
from sensitivenets.cli.output import print_json
from sensitivenets.engines import engine_named

def part(number, folder=Path(sys.argv[2])):
    (folder / f"begun-{number}").touch()
    while not (folder / "end").exists():
        time.sleep(0.05)
    return number

print_json(list(engine_named("ray", address=sys.argv[1]).map(part, range(2))))
"""


def test_standard_output_is_results_alone_though_a_node_is_lost(
    cluster, wait_until, patience, tmp_path
):
    node = cluster.add_node(num_cpus=1)
    command = [sys.executable, "-c", DRIVER, cluster.address, str(tmp_path)]
    said = tmp_path / "said"
    with said.open("wb") as errors:
        driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
    try:
        wait_until(lambda: len([*tmp_path.glob("begun-*")]) == 2, "a part on either node")
        cluster.remove_node(node, allow_graceful=False)
        wait_until(lambda: "(raylet)" in said.read_text(), "Ray's note on standard error")
        (tmp_path / "end").touch()
        printed, _ = driver.communicate(timeout=patience)
    finally:
        driver.kill()
    assert json.loads(printed) == [0, 1]
