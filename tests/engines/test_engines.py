"""Every home of an engine does the same: all parts, in their order, few at a time."""

import threading

import numpy as np
import pytest

from sensitivenets.embeddings.source import open_table
from sensitivenets.engines import InProcess, engine_named
from sensitivenets.engines.processes import Processes
from sensitivenets.errors import InputError

PARTS = [np.random.default_rng(part).standard_normal((64, 3000)) for part in range(7)]


HOMES = [InProcess(1), InProcess(3), Processes(2)]


@pytest.mark.parametrize("engine", HOMES, ids=repr)
def test_results_are_those_of_one_thread_in_order(engine):
    # A product whose last bits depend on the threads of BLAS.
    expected = [np.cov(part) for part in PARTS]
    found = list(engine.map(np.cov, PARTS))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("engine", HOMES, ids=repr)
def test_an_error_in_a_part_is_what_is_raised(engine):
    with pytest.raises(InputError, match=r"part-\d\.parquet: no such file"):
        list(engine.map(open_table, [f"part-{part}.parquet" for part in range(9)]))


@pytest.mark.parametrize("engine", HOMES, ids=repr)
def test_results_in_any_order_are_all_results(engine):
    assert sorted(engine.map(abs, range(-9, 0), in_order=False)) == list(range(1, 10))


def test_what_is_done_is_handed_back_before_what_is_slow():
    slow_may_end = threading.Event()

    def part(number):
        return number or slow_may_end.wait()

    found = InProcess(2).map(part, range(4), in_order=False)
    assert {next(found), next(found), next(found)} == {1, 2, 3}
    slow_may_end.set()
    assert list(found) == [True]


def test_parts_are_not_begun_long_before_they_are_asked_for():
    begun = []
    found = InProcess(2).map(begun.append, range(100))
    next(found)
    assert len(begun) <= 3
    found.close()


def test_no_parts_are_no_results():
    assert [list(engine.map(np.cov, [])) for engine in HOMES] == [[], [], []]


def test_engines_by_name():
    assert engine_named("process", n_workers=2) == InProcess(2)
    assert engine_named("processes") == Processes(None)
    with pytest.raises(InputError, match="engine: expected one of 'process', 'processes', 'ray'"):
        engine_named("spark")
