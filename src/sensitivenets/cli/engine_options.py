"""Options of every command that an engine can carry past one process.

Rows are added up by threads as well as by processes; attackers need processes.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cyclopts import Parameter

from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.audit.attackers.smooth_functions import Kernels
    from sensitivenets.engines import Engine
    from sensitivenets.erasers.transport.passes import Products


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


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class DeviceOptions(EngineOptions):
    """Who does the work, and who multiplies.

    Attributes
    ----------
    device
        Torch device that multiplies, such as cuda or cuda:1; numpy does unless given. Results
        differ from those of numpy by rounding.
    """

    device: str | None = None

    def __post_init__(self) -> None:
        if self.device is not None and self.engine != "process":
            raise InputError(
                f"--device {self.device}: is for one process, found --engine {self.engine}; "
                "leave one of them out"
            )

    def products(self) -> Products:
        """Return who multiplies.

        Raises
        ------
        InputError
            If there is no such device, or torch is not installed.
        """
        if self.device is None:
            from sensitivenets.erasers.transport.passes import IN_NUMPY

            return IN_NUMPY
        _require_torch()
        from sensitivenets.maps.on_device import products_on

        return products_on(self.device)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AttackEngineOptions:
    """Who runs the attackers.

    Attributes
    ----------
    engine
        processes are --n-jobs on this machine; process is this one alone; ray is a cluster, of
        which each core takes an attacker. Results are the same to the last bit.
    n_jobs
        Processes, and what --budget counts with.
    ray_address
        Ray cluster to join: HOST:PORT, or auto for the one that runs on this machine. Without it
        one is started here.
    """

    engine: Literal["process", "processes", "ray"] = "processes"
    n_jobs: int = 2
    ray_address: str | None = None

    @property
    def processes(self) -> int:
        """Processes on this machine."""
        return 1 if self.engine == "process" else self.n_jobs

    def make(self) -> Engine | None:
        """Return the engine, if it is not this machine."""
        from sensitivenets.engines import engine_named

        return engine_named("ray", address=self.ray_address) if self.engine == "ray" else None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AttackDeviceOptions(AttackEngineOptions):
    """Who runs the attackers, and who multiplies for them.

    Attributes
    ----------
    device
        Torch device that makes the matrices of kernel machines, such as cuda; numpy does unless
        given. Attackers of scikit-learn stay as they are.
    """

    device: str | None = None

    def __post_init__(self) -> None:
        if self.device is not None and self.engine == "ray":
            raise InputError(
                f"--device {self.device}: is for this machine, found --engine ray; leave one of "
                "them out"
            )

    def kernels(self) -> Kernels | None:
        """Return who makes kernel matrices, if it is not numpy.

        Raises
        ------
        InputError
            If there is no such device, or torch is not installed.
        """
        if self.device is None:
            return None
        _require_torch()
        from sensitivenets.audit.attackers.on_device import kernels_on

        return kernels_on(self.device)


def _require_torch() -> None:
    if importlib.util.find_spec("torch") is None:
        raise InputError("--device needs torch: pip install 'sensitivenets[train]'")
