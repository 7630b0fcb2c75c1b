"""What decides the training of a residual decomposition, checked before any work."""

from __future__ import annotations

from dataclasses import dataclass

from sensitivenets.erasers.adversarial.settings import Loss
from sensitivenets.parameter_checks import require_int, require_one_of, require_real


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
