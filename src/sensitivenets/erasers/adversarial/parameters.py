"""What decides the training of every adversarial eraser, and what a method adds to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from sensitivenets.erasers.base import parameterised
from sensitivenets.erasers.neural.trained import HeadActivation, Loss, PrimaryParameters
from sensitivenets.errors import require_int, require_real

Optimiser = Literal["adam", "sgd"]


@parameterised
class AdversarialParameters(PrimaryParameters):
    """The parameters that the methods share.

    Parameters
    ----------
    n_units : int, optional
        Features of the output; as many as the input has, unless given.
    n_hidden : int, default=1024
        ReLU units between input and output; 0 is a linear encoder. With twice the input's features
        or more, training starts from the embeddings as they are.
    n_head_units : int, default=128
        Hidden units of an attribute head; 0 is a linear head.
    normalise : bool, default=True
        Whether output rows have unit length; heads read them so.
    n_epochs : int, default=30
        Passes over `X` while encoder and heads are coupled.
    warm_up : int, default=1
        Passes before that, in which the encoder learns its task alone and the heads learn to read
        it; without it the first heads say nothing.
    batch_size : int, default=256
        Rows of `X`, and of the rows with attributes, in a step.
    learning_rate : float, default=1e-3
        Of Adam, for both sides.
    """

    n_units: int | None = None
    n_hidden: int = 1024
    n_head_units: int = 128
    normalise: bool = True
    warm_up: int = 1
    batch_size: int = 256

    _least_hidden: ClassVar[int] = 0

    def _check(self) -> None:
        super()._check()
        if self.n_units is not None:
            require_int("n_units", self.n_units, minimum=1)
        for name in ("n_head_units", "warm_up"):
            require_int(name, getattr(self, name), minimum=0)


@parameterised
class VariationalParameters(AdversarialParameters):
    """What decides the training of a variational encoder.

    Parameters
    ----------
    n_units : int or None, default=8
        Features of the output, None for as many as the input has; few features hold few people.
    loss : {"triplet", "cross_entropy"}, default="cross_entropy"
        What the encoder must keep: the classes of `y`, or, as ``"triplet"``, its identities.
    adversarial_weight : float, default=1.0
        Of the confusion, which is relative to that of a head that knows nothing.
    kl_weight : float, default=0.1
        Of the divergence: a bound on what z can tell of anything.
    reconstruction_weight : float, default=0.1
        Of the squared distance of rebuilt to true embedding.
    n_head_steps : int, default=3
        Batches that the heads learn from for each one of the encoder.
    verbose : bool, default=False
        Show a progress bar on stderr.
    """

    n_units: int | None = 8
    loss: Loss = "cross_entropy"
    adversarial_weight: float = 1.0
    kl_weight: float = 0.1
    reconstruction_weight: float = 0.1
    n_head_steps: int = 3
    verbose: bool = False

    _least_hidden: ClassVar[int] = 1

    def _check(self) -> None:
        for name in ("adversarial_weight", "kl_weight", "reconstruction_weight"):
            require_real(name, getattr(self, name), minimum=0)
        require_int("n_head_steps", self.n_head_steps, minimum=1)
        super()._check()


@dataclass(frozen=True)
class Design:
    """What a method decides about its networks, beyond the parameters that all methods share.

    Attributes
    ----------
    n_heads : int
        Attribute heads for each attribute; they differ in their initial weights.
    head_activation : {"relu", "selu"}
        Between the two layers of an attribute head.
    head_learning_rate : float, optional
        Of the attribute heads; that of the encoder unless given.
    optimiser : {"adam", "sgd"}
        Of the encoder, and of the heads.
    reconstruct : bool
        Whether a decoder learns to rebuild the input.
    """

    n_heads: int = 1
    head_activation: HeadActivation = "relu"
    head_learning_rate: float | None = None
    optimiser: Optimiser = "adam"
    reconstruct: bool = False


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
