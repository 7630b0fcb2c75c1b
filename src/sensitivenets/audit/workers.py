"""Runs the parts of an audit in parallel processes of one thread each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_limits

from sensitivenets.progress import Steps

T = TypeVar("T")


def run_jobs(
    function: Callable[..., T],
    jobs: Sequence[tuple[Any, ...]],
    *,
    costs: Sequence[float],
    names: Sequence[str],
    n_jobs: int,
    steps: Steps,
) -> list[T]:
    """Call a function for each tuple of arguments, the costliest first.

    One thread each, in processes or not: results do not depend on `n_jobs`.

    Parameters
    ----------
    function : callable
        Of a module, so that a process can import it.
    jobs : sequence of tuple
        Arguments; large arrays reach the processes as memory maps.
    costs : sequence of float
        Rough costs.
    names : sequence of str
        What to show when done.
    n_jobs : int
        Processes; 1 runs them here.
    steps : Steps
        Told of each.

    Returns
    -------
    list
        In the order of `jobs`.
    """
    order = sorted(range(len(jobs)), key=lambda i: -costs[i])
    results: dict[int, T] = {}
    with threadpool_limits(1):
        if n_jobs == 1:
            for i in order:
                results[i] = function(*jobs[i])
                steps.advance(names[i])
        else:
            with parallel_config("loky", inner_max_num_threads=1):
                parallel = Parallel(n_jobs=n_jobs, return_as="generator", max_nbytes="1M")
                done = parallel(delayed(function)(*jobs[i]) for i in order)
                for i, result in zip(order, done, strict=True):
                    results[i] = result
                    steps.advance(names[i])
    return [results[i] for i in range(len(jobs))]
