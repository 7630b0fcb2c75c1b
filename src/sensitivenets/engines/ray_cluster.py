"""The engine of many machines: Ray tasks, one for each part, begun again where a node is lost."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from sensitivenets.engines.processes import OnOneThread
from sensitivenets.errors import InputError

P = TypeVar("P")
R = TypeVar("R")

# Results made ahead of the one that is asked for, in parts for each core of the cluster.
_AHEAD = 2
# Nodes that may be lost under one part.
_RETRIES = 20


@dataclass(frozen=True)
class RayCluster:
    """Works on as many parts at a time as a Ray cluster has cores.

    Workers read the parts themselves: they must reach the same files.

    Attributes
    ----------
    address : str or None
        Of the cluster; ``"auto"`` is the one that runs on this machine, None starts one here
        unless this process is connected already.
    """

    address: str | None = None

    def map(
        self, function: Callable[[P], R], parts: Iterable[P], *, in_order: bool = True
    ) -> Iterator[R]:
        """See `Engine.map`."""
        ray = _connected(self.address)
        task = ray.remote(num_cpus=1, max_retries=_RETRIES)(OnOneThread.__call__)
        shared = ray.put(OnOneThread(function))
        waiting: deque[Any] = deque()
        for part in parts:
            waiting.append(task.remote(shared, part))
            if len(waiting) > _AHEAD * max(int(ray.cluster_resources().get("CPU", 1)), 1):
                yield _next(ray, waiting, in_order)
        while waiting:
            yield _next(ray, waiting, in_order)


def _connected(address: str | None) -> Any:
    try:
        import ray
    except ImportError as error:
        raise InputError("--engine ray needs Ray: pip install 'sensitivenets[ray]'") from error
    if not ray.is_initialized():
        _keep_from_stdout()
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
        except (ConnectionError, ValueError) as error:
            raise InputError(
                f"--ray-address {address}: no Ray cluster there; start one with `ray start --head`"
            ) from error
    return ray


def _keep_from_stdout() -> None:
    """Make Ray say on standard error what it says of lost nodes: results go to standard output.

    Ray has no switch for it: `log_to_driver` is of what workers print. Other versions of Ray may
    do it elsewhere; they then speak where they spoke.
    """
    from ray._private import worker

    said = getattr(worker, "print_to_stdstream", None)
    if said is not None and not isinstance(said, partial):
        worker.print_to_stdstream = partial(_say_as_error, said)


def _say_as_error(say: Callable[..., None], data: dict[str, Any], **how: Any) -> None:
    say({**data, "is_err": True}, **how)


def _next(ray: Any, waiting: deque[Any], in_order: bool) -> Any:
    """Take the result of the first task, or of the first that is done."""
    first = waiting[0] if in_order else ray.wait(list(waiting))[0][0]
    waiting.remove(first)
    try:
        return ray.get(first)
    except ray.exceptions.RayTaskError as error:
        # What went wrong in the part, not where in Ray.
        cause = error.cause
        raise cause if isinstance(cause, Exception) else error from None
