"""The engine at hand: threads of this process, each on parts of its own."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TypeVar

from threadpoolctl import threadpool_limits

P = TypeVar("P")
R = TypeVar("R")


@dataclass(frozen=True)
class InProcess:
    """Works on several parts at a time, in the memory of this process.

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
        n_workers = self.n_workers or os.cpu_count() or 1
        waiting: deque[Future[R]] = deque()
        # Threads share BLAS, whose products must not depend on how many there are.
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(n_workers) as pool:
            try:
                for part in parts:
                    waiting.append(pool.submit(function, part))
                    if len(waiting) > n_workers:
                        yield _next(waiting, in_order)
                while waiting:
                    yield _next(waiting, in_order)
            finally:
                for future in waiting:
                    future.cancel()


def _next(waiting: deque[Future[R]], in_order: bool) -> R:
    """Take the first of the futures, or the first that is done."""
    first = waiting[0] if in_order else next(iter(wait(waiting, None, FIRST_COMPLETED).done))
    waiting.remove(first)
    return first.result()
