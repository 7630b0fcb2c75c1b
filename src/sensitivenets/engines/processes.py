"""The engine of one machine: worker processes, for what threads of one process wait for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

P = TypeVar("P")
R = TypeVar("R")


@dataclass(frozen=True)
class OnOneThread(Generic[P, R]):
    """A function whose products use one thread of BLAS: the same bits in every worker.

    Attributes
    ----------
    function : callable
        Of one part.
    """

    function: Callable[[P], R]

    def __call__(self, part: P) -> R:
        """Call the function."""
        with threadpool_limits(1, user_api="blas"):
            return self.function(part)


@dataclass(frozen=True)
class Processes:
    """Works on several parts at a time, each in a process of its own.

    Attributes
    ----------
    n_workers : int or None
        Parts at a time; None for one a core.
    """

    n_workers: int | None = None

    def map(
        self, function: Callable[[P], R], parts: Iterable[P], *, in_order: bool = True
    ) -> Iterator[R]:
        """See `Engine.map`."""
        parallel = Parallel(
            self.n_workers or os.cpu_count() or 1,
            backend="loky",
            return_as="generator" if in_order else "generator_unordered",
        )
        yield from parallel(delayed(OnOneThread(function))(part) for part in parts)
