"""Options of every command that an engine can carry past one process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from sensitivenets.engines import Engine


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """Who does the work.

    Attributes
    ----------
    engine
        process is this one and its threads; processes are several on this machine; ray is a
        cluster, whose workers must reach the same files. Results are the same to the last bit.
    workers
        Parts at a time, for process and processes; one a core unless given.
    ray_address
        Ray cluster to join: HOST:PORT, or auto for the one that runs on this machine. Without it
        one is started here.
    """

    engine: Literal["process", "processes", "ray"] = "process"
    workers: int | None = None
    ray_address: str | None = None

    def make(self) -> Engine:
        """Return the engine."""
        from sensitivenets.engines import engine_named

        return engine_named(self.engine, n_workers=self.workers, address=self.ray_address)
