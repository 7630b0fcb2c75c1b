"""How an obfuscator is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sensitivenets.errors import require_int, require_one_of, require_real

Method = Literal["semi_adversarial", "data_domain"]
Target = Literal["flip", "chance"]


@dataclass(frozen=True)
class ObfuscationSettings:
    """The parameters of an obfuscator and of its training.

    Attributes
    ----------
    method : {"semi_adversarial", "data_domain"}
        What hides the attribute: see `terms.Confusion` and `terms.Independence`.
    target : {"flip", "chance"}
        What classifiers are to say, for ``"semi_adversarial"``.
    adaptation : float
        Learning rate at which the classifiers re-train on changed faces while the obfuscator
        learns. Zero, as published, leaves them as they were on originals.
    residual_weight : float
        For ``"data_domain"``: weight of the dependence of the change on the attribute.
    hiding_weight, matching_weight, reconstruction_weight : float
        Weights of the hiding term; of 1 - the cosine to the original's embedding; and of the mean
        squared change of pixels in [0, 1].
    matched_share : float
        Share of each batch that is embedded, in (0, 1]: the face network is what costs.
    n_epochs, batch_size : int
        Passes over the faces, and faces a step.
    learning_rate : float
        Of Adam, at the start; it falls along a cosine.
    width : int
        Channels of the obfuscator's first layer.
    strength : float
        Largest change of a pixel, a share of its range, in (0, 1].
    random_state : int
        Decides everything random.

    Raises
    ------
    InputError
        If one of them is out of its range.
    """

    method: Method = "semi_adversarial"
    target: Target = "flip"
    adaptation: float = 0.0
    residual_weight: float = 0.0
    hiding_weight: float = 1.0
    matching_weight: float = 4.0
    reconstruction_weight: float = 20.0
    matched_share: float = 0.5
    n_epochs: int = 6
    batch_size: int = 32
    learning_rate: float = 2e-3
    width: int = 24
    strength: float = 0.3
    random_state: int = 0

    def __post_init__(self) -> None:
        require_one_of("method", self.method, ("semi_adversarial", "data_domain"))
        require_one_of("target", self.target, ("flip", "chance"))
        for name in ("n_epochs", "width"):
            require_int(name, getattr(self, name), minimum=1)
        require_int("batch_size", self.batch_size, minimum=2)
        require_int("random_state", self.random_state, minimum=0)
        require_real("learning_rate", self.learning_rate, above=0)
        for name in ("strength", "matched_share"):
            require_real(name, getattr(self, name), above=0, maximum=1)
        for name in ("adaptation", "residual_weight", "hiding_weight"):
            require_real(name, getattr(self, name), minimum=0)
        for name in ("matching_weight", "reconstruction_weight"):
            require_real(name, getattr(self, name), minimum=0)
