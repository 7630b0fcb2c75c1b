"""What decides the steps of Obliviator, checked before any work."""

from __future__ import annotations

from dataclasses import dataclass

from sensitivenets.erasers.neural.trained import Loss
from sensitivenets.errors import require_int, require_one_of, require_real


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


@dataclass(frozen=True)
class DecompositionSettings:
    """The parameters of `DataDomain`; its docstring says what each means.

    Raises
    ------
    InputError
        If one of them is out of its range.
    """

    hsic_weight: float
    residual_weight: float
    primary_weight: float
    loss: Loss
    margin: float
    n_fourier: int
    n_hidden: int
    n_epochs: int
    batch_size: int
    learning_rate: float

    def __post_init__(self) -> None:
        for name in ("hsic_weight", "residual_weight", "primary_weight"):
            require_real(name, getattr(self, name), minimum=0.0)
        for name in ("margin", "learning_rate"):
            require_real(name, getattr(self, name), above=0.0)
        require_one_of("loss", self.loss, ("triplet", "cross_entropy"))
        for name in ("n_fourier", "n_hidden", "n_epochs"):
            require_int(name, getattr(self, name), minimum=1)
        require_int("batch_size", self.batch_size, minimum=4)
