"""Everything that decides a fit, checked before any work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sensitivenets.errors import require_int, require_one_of, require_real

Loss = Literal["triplet", "bce", "cross_entropy"]
Init = Literal["orthogonal", "glorot"]
Schedule = Literal["alternate", "sum"]
Solver = Literal["lbfgs", "adam"]


@dataclass(frozen=True)
class TrainingSettings:
    """The parameters of `SensitiveNet`, whose docstring says what each means.

    Raises
    ------
    InputError
        If one of them is out of its range.
    """

    loss: Loss
    n_layers: int
    n_units: int
    n_epochs: int
    batch_size: int
    learning_rate: float
    init: Init
    margin: float
    n_triplets: int
    remine: bool
    hinge: bool
    adversarial_weight: float
    target: float | Literal["chance"]
    target_classes: Mapping[str, str] | None
    schedule: Schedule
    detector_solver: Solver
    detector_C: float
    detector_interval: int
    memory_limit: int

    def __post_init__(self) -> None:
        require_one_of("loss", self.loss, ("triplet", "bce", "cross_entropy"))
        require_one_of("init", self.init, ("orthogonal", "glorot"))
        require_one_of("schedule", self.schedule, ("alternate", "sum"))
        require_one_of("detector_solver", self.detector_solver, ("lbfgs", "adam"))
        for name in ("n_layers", "n_units", "n_epochs", "batch_size", "n_triplets"):
            require_int(name, getattr(self, name), minimum=1)
        require_int("detector_interval", self.detector_interval, minimum=1)
        require_int("memory_limit", self.memory_limit, minimum=2**20)
        require_real("learning_rate", self.learning_rate, above=0)
        require_real("margin", self.margin, above=0)
        require_real("detector_C", self.detector_C, above=0)
        require_real("adversarial_weight", self.adversarial_weight, minimum=0)
        if self.target != "chance":
            require_real("target", self.target, minimum=0, maximum=1)
