"""A real Ray cluster that loses a node in the middle of the work: equal to the last bit."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sensitivenets.embeddings import EmbeddingTable, write_table
from sensitivenets.embeddings import rows as row_cuts
from sensitivenets.embeddings.location import find_place
from sensitivenets.embeddings.source import open_table
from sensitivenets.engines import InProcess, engine_named
from sensitivenets.erasers.fit_table import fit_table
from sensitivenets.erasers.linear.leace import LEACE
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.errors import InputError
from sensitivenets.maps.transform_files import Transformation, transform_to_folder

ray = pytest.importorskip("ray", reason="Ray is not installed")
from ray.cluster_utils import Cluster  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    # Ray leaves sockets and files of its own to the garbage collector.
    pytest.mark.filterwarnings("ignore"),
]
N_ROWS, PARTS = 600_000, 6


@pytest.fixture(scope="module")
def cluster():
    """One head that does no work of ours, and two nodes of one core."""
    made = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 1,
            "include_dashboard": False,
            # At a load of thirty, nodes were called dead that were only slow.
            "_system_config": {
                "health_check_failure_threshold": 30,
                "health_check_timeout_ms": 60_000,
            },
        },
    )
    source = Path(row_cuts.__file__).parents[2]
    os.environ["OMP_NUM_THREADS"] = "1"
    ray.init(
        address=made.address,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": str(source)}},
    )
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    rng = np.random.default_rng(0)
    for k in range(PARTS):
        gender = rng.integers(2, size=N_ROWS // PARTS)
        X = rng.standard_normal((len(gender), 16)).astype(np.float32)
        X[:, 0] += gender
        columns = pa.table({"gender": np.array(["f", "m"])[gender]})
        write_table(EmbeddingTable(X, columns), folder / f"{k}.parquet")
    return folder


@dataclass
class LosesANode:
    """Ray, of which a node is removed without grace when the first part of a pass is done."""

    cluster: Cluster
    passes: int = 0

    def map(self, function, parts):
        self.passes += 1
        # Once: a cluster is slow to see that a node is gone.
        node = self.cluster.add_node(num_cpus=1) if self.passes == 1 else None
        for result in engine_named("ray").map(function, parts):
            if node is not None:
                self.cluster.remove_node(node, allow_graceful=False)
                node = None
            yield result


def test_a_fit_is_the_same_though_a_node_is_lost(cluster, folder):
    for eraser in (LEACE(random_state=0), RoutedTransport(n_rounds=1, random_state=0)):
        expected, found = (
            fit_table(eraser, folder, sensitive=["gender"], engine=engine).model_
            for engine in (InProcess(1), LosesANode(cluster))
        )
        assert found.fingerprint == expected.fingerprint
        for name, array in expected.map.arrays().items():
            np.testing.assert_array_equal(found.map.arrays()[name], array)


def test_a_folder_is_the_same_though_a_node_is_lost(cluster, folder, tmp_path):
    model = fit_table(LEACE(random_state=0), folder, sensitive=["gender"]).model_
    for name, engine in (("one", InProcess(1)), ("other", LosesANode(cluster))):
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
