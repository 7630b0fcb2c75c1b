"""What decides the steps of Obliviator, checked before any work."""

from __future__ import annotations

from dataclasses import dataclass

from sensitivenets.parameter_checks import require_int, require_real


@dataclass(frozen=True)
class StepSettings:
    """The parameters of `Obliviator` that a step needs; its docstring says what each means.

    Raises
    ------
    InputError
        If one of them is out of its range.
    """

    n_components: int | None
    n_fourier: int
    n_hidden: int
    n_epochs: int
    batch_size: int
    learning_rate: float
    start_weight: float
    previous_weight: float
    target_weight: float
    min_bandwidth: float
    tolerance: float

    def __post_init__(self) -> None:
        if self.n_components is not None:
            require_int("n_components", self.n_components, minimum=1)
        for name in ("n_fourier", "n_hidden", "n_epochs"):
            require_int(name, getattr(self, name), minimum=1)
        require_int("batch_size", self.batch_size, minimum=2)
        for name in ("learning_rate", "min_bandwidth"):
            require_real(name, getattr(self, name), above=0.0)
        for name in ("start_weight", "previous_weight", "target_weight"):
            require_real(name, getattr(self, name), minimum=0.0)
        require_real("tolerance", self.tolerance, minimum=0.0, maximum=1.0)
