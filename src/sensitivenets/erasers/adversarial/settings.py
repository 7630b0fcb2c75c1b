"""What decides the training of every adversarial eraser, checked before any work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from sensitivenets.erasers.neural.trained import HeadActivation, Loss
from sensitivenets.errors import require_int, require_one_of, require_real

if TYPE_CHECKING:
    pass

Optimiser = Literal["adam", "sgd"]


@dataclass(frozen=True)
class AdversarialSettings:
    """The parameters that the methods share; their docstrings say what each means.

    Attributes
    ----------
    head_learning_rate : float, optional
        Of the attribute heads; that of the encoder unless given.
    n_heads : int
        Attribute heads for each attribute; they differ in their initial weights.
    head_activation : {"relu", "selu"}
        Between the two layers of an attribute head.
    reconstruct : bool
        Whether a decoder learns to rebuild the input.

    Raises
    ------
    InputError
        If one of them is out of its range.
    """

    loss: Loss
    margin: float
    n_units: int | None
    n_hidden: int
    n_head_units: int
    normalise: bool
    n_epochs: int
    warm_up: int
    batch_size: int
    learning_rate: float
    optimiser: Optimiser = "adam"
    head_learning_rate: float | None = None
    n_heads: int = 1
    head_activation: HeadActivation = "relu"
    reconstruct: bool = False

    def __post_init__(self) -> None:
        require_one_of("loss", self.loss, ("triplet", "cross_entropy"))
        require_one_of("optimiser", self.optimiser, ("adam", "sgd"))
        require_real("margin", self.margin, above=0)
        require_real("learning_rate", self.learning_rate, above=0)
        if self.head_learning_rate is not None:
            require_real("head_learning_rate", self.head_learning_rate, above=0)
        if self.n_units is not None:
            require_int("n_units", self.n_units, minimum=1)
        for name in ("n_hidden", "n_head_units", "warm_up"):
            require_int(name, getattr(self, name), minimum=0)
        require_int("n_epochs", self.n_epochs, minimum=1)
        require_int("batch_size", self.batch_size, minimum=4)


class UpdateRecord(NamedTuple):
    """What one update reports.

    Attributes
    ----------
    loss, primary, hidden : float
        What the encoder minimised, its primary loss, and the adversarial term before its weight.
    """

    loss: float
    primary: float
    hidden: float
