"""Who does the work of many parts: this process, others on this machine, or a Ray cluster.

An engine is one function, `map`. What is mapped must give the same bits wherever it runs, so that
results do not depend on the engine: every home runs it on one thread of BLAS, and hands results
back in the order of the parts unless told that any will do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from sensitivenets.engines.in_process import InProcess as InProcess
from sensitivenets.errors import require_one_of

P = TypeVar("P")
R = TypeVar("R")

ENGINES = ("process", "processes", "ray")


class Engine(Protocol):
    """Does the same to many parts."""

    def map(
        self, function: Callable[[P], R], parts: Iterable[P], *, in_order: bool = True
    ) -> Iterator[R]:
        """Yield what `function` makes of each part.

        Parameters
        ----------
        function : callable
            Of one part; it can be pickled, keeps nothing, and names the part in its errors.
        parts : iterable
            Small: where the work is, not the rows themselves.
        in_order : bool, default=True
            Whether results come in the order of the parts; otherwise as they are done.

        Yields
        ------
        object
            A few results are made ahead of the one that is asked for, and no more.
        """
        ...


def engine_named(name: str, *, n_workers: int | None = None, address: str | None = None) -> Engine:
    """Return an engine by its name on the command line.

    Parameters
    ----------
    name : {"process", "processes", "ray"}
        This process and its threads, processes of this machine, or a Ray cluster.
    n_workers : int, optional
        Parts at a time, for the first two; one a core unless given.
    address : str, optional
        Of the Ray cluster; ``"auto"`` is the one that runs here, none starts one here.

    Raises
    ------
    InputError
        If there is no such engine, or Ray is not installed.
    """
    require_one_of("engine", name, ENGINES)
    if name == "process":
        return InProcess(n_workers)
    if name == "processes":
        from sensitivenets.engines.processes import Processes

        return Processes(n_workers)
    from sensitivenets.engines.ray_cluster import RayCluster

    return RayCluster(address)
