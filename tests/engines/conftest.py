import os
from pathlib import Path

import pytest

from sensitivenets.embeddings import rows as row_cuts


# Shut down behind the last test of this folder: its notes on lost nodes go to everybody's stdout.
@pytest.fixture(scope="package")
def cluster():
    """One head that does no work of ours, and two nodes of one core."""
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    from ray.cluster_utils import Cluster

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
    # Those of the bucket, which workers find for themselves.
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    ray.init(
        address=made.address,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": str(source), **keys}},
    )
    yield made
    ray.shutdown()
    made.shutdown()
