"""The parameters of SensitiveNet as options of ``fit``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Group, Parameter

_TRAINING = Group("Training", sort_key=2)


@Parameter(name="*", group=_TRAINING)
@dataclass(frozen=True)
class TrainingOptions:
    """The parameters of SensitiveNet; the defaults are the estimator's.

    Attributes
    ----------
    loss
        What is kept: identities (triplet), or the label of --task with two classes (bce) or more
        (cross_entropy).
    n_layers
        Layers, trained one after the other.
    n_units
        Features of each layer and of the output.
    n_epochs
        Passes over the triplets, or the rows, for each layer; the default depends on the loss.
    batch_size
        Triplets, or rows, a step.
    learning_rate
        Of Adam.
    margin
        alpha of the triplet loss.
    n_triplets
        Triplets to draw.
    hinge
        Stop the triplet loss at zero.
    adversarial_weight
        Weight of removing against keeping; 0 removes nothing.
    target
        Probability that detectors are driven to; chance is one over the number of classes.
    detector_solver
        Detectors solved to their optimum, or by the paper's recipe.
    device
        Torch device; the GPU if there is one, unless given.
    random_state
        The seed, which decides everything random.
    """

    loss: Literal["triplet", "bce", "cross_entropy"] = "triplet"
    n_layers: int = 3
    n_units: int = 1024
    n_epochs: int | None = None
    batch_size: int = 512
    learning_rate: float = 1e-3
    margin: float = 0.2
    n_triplets: int = 100_000
    hinge: Annotated[bool, Parameter(negative="--no-hinge")] = True
    adversarial_weight: float = 1.0
    target: float | Literal["chance"] = "chance"
    detector_solver: Literal["lbfgs", "adam"] = "lbfgs"
    device: str | None = None
    random_state: int = 0
