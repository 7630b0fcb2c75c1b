import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sensitivenets.embeddings import rows as row_cuts
from sensitivenets.engines import engine_named


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
                # A node that is gone refuses at once: thirty refusals are nine seconds, not ninety.
                "health_check_period_ms": 300,
                "health_check_timeout_ms": 60_000,
                # Ray's workers give way to everybody else, for minutes where others work.
                "worker_niceness": 0,
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


@dataclass
class LosesANode:
    """Ray, of which a node is removed without grace when the first part of a pass is done."""

    cluster: Any
    passes: int = 0

    def map(self, function, parts, *, in_order=True):
        self.passes += 1
        # Once: a cluster is slow to see that a node is gone.
        node = self.cluster.add_node(num_cpus=1) if self.passes == 1 else None
        for result in engine_named("ray").map(function, parts, in_order=in_order):
            if node is not None:
                self.cluster.remove_node(node, allow_graceful=False)
                node = None
            yield result


@pytest.fixture
def losing_a_node(cluster):
    """Makes an engine that loses a node in the middle of the work."""
    return lambda: LosesANode(cluster)
