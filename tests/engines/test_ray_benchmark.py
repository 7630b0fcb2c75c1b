"""Runs of a benchmark on a real Ray cluster: the records of this machine, whatever is lost."""

from dataclasses import replace

import pytest

from sensitivenets.audit import split_by_column
from sensitivenets.benchmark.inputs import Attacking, Fitting, Inputs, Verifying
from sensitivenets.benchmark.measure import ProtocolSettings
from sensitivenets.benchmark.plan import Run
from sensitivenets.benchmark.processes import Limits
from sensitivenets.benchmark.runs import RUNS, benchmark
from sensitivenets.datasets import synthetic_diveface
from sensitivenets.engines import engine_named

pytest.importorskip("ray", reason="Ray is not installed")

pytestmark = [
    pytest.mark.slow,
    # Ray leaves sockets and files of its own to the garbage collector.
    pytest.mark.filterwarnings("ignore"),
]
RUNS_ASKED = [Run(method, {}, seed) for seed in (0, 1) for method in ("none", "leace")]


@pytest.fixture(scope="module")
def inputs():
    table = synthetic_diveface(60, 2, dim=32, random_state=0)
    fit_rows, subject = table.where("split", "fit"), table.labels("subject")
    split = split_by_column(table.labels("split"), "attack_train", "attack_test", subject)
    return Inputs(
        Fitting(fit_rows.vectors, fit_rows.labels("subject"), fit_rows.attributes(["gender"])),
        Attacking(table.vectors, table.attributes(["gender"]), split),
        Verifying(table.vectors[split.test], subject.take(split.test)),
    )


@pytest.fixture
def go(inputs, tmp_path):
    def run(name, runs, engine=None, seconds=None):
        settings, limits = ProtocolSettings(), Limits(2, seconds)
        return benchmark(
            inputs, runs, tmp_path / name, settings=settings, limits=limits, engine=engine
        )

    return run


def timeless(record):
    costs = {"fit_seconds": 0, "transform_rows_per_second": 0, "peak_memory": 0}
    return replace(record, figures=replace(record.figures, **costs))


def test_records_are_the_same_though_a_node_is_lost_and_are_taken_up(go, losing_a_node, tmp_path):
    here = go("here", RUNS_ASKED)
    there = go("there", RUNS_ASKED, losing_a_node())
    assert [timeless(r) for r in there.records] == [timeless(r) for r in here.records]
    # Keys are of data and settings, so that one home goes on with what another began.
    names = [{path.name for path in (tmp_path / x / RUNS).iterdir()} for x in ("here", "there")]
    assert names[0] == names[1]
    assert go("there", RUNS_ASKED).n_taken_up == len(RUNS_ASKED)


def test_a_run_over_its_time_leaves_its_record_on_the_cluster_too(go, cluster):
    found = go("short", RUNS_ASKED[:1], engine_named("ray"), seconds=0.05)
    assert found.records[0].error == "took longer than the 0.05 seconds of the time limit"
