"""Everything that decides how phi is trained, checked before any work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from sensitivenets.erasers.base import parameterised
from sensitivenets.errors import require_int, require_one_of, require_real

Loss = Literal["triplet", "bce", "cross_entropy"]
Init = Literal["orthogonal", "glorot"]
Schedule = Literal["alternate", "sum"]
Solver = Literal["lbfgs", "adam"]

# 100 000 triplets are 196 steps of the default batch; a few thousand rows are ten.
_TRIPLET_EPOCHS, _ROW_EPOCHS = 2, 100


@parameterised
class PhiParameters:
    """How phi and its detectors are trained.

    Parameters
    ----------
    loss : {"triplet", "bce", "cross_entropy"}, default="triplet"
        What phi must keep. ``"triplet"``: telling identities apart (Eq. 5), `y` is the identity.
        ``"bce"`` and ``"cross_entropy"``: a label with two or more classes (section 4.4).
    n_layers : int, default=3
        Layers. The paper found at least three necessary; so did we: one leaves a linear reader of
        ethnicity at 48 %, three at 37 %, six lose verification.
    n_units : int, default=1024
        Features of each layer and of the output.
    n_epochs : int, optional
        Passes for each layer; unless given, 2 over triplets or 100 over rows.
    batch_size : int, default=512
        Triplets (or rows) a step.
    learning_rate : float, default=1e-3
        Of Adam, for phi.
    init : {"orthogonal", "glorot"}, default="orthogonal"
        Initial weights of a layer; ``"orthogonal"`` starts where the layer before stopped.
    margin : float, default=0.2
        alpha of Eq. 3 and Eq. 5.
    n_triplets : int, default=100_000
        Triplets to draw from all that satisfy Eq. 3.
    remine : bool, default=True
        Mine triplets again on the output of each layer. Mined once, on `X`, they are over-fitted:
        verification falls from 69 to 30 % (true accepts at one false accept in 1 000).
    hinge : bool, default=True
        Whether L'0 stops at zero. Eq. 5 prints no hinge; without one the output collapses.
    adversarial_weight : float, default=1.0
        Weight of the regulariser Lambda, as in Eq. 4.
    target : float or "chance", default="chance"
        Probability of the fixed class that Eq. 6 drives detectors to. The paper has 0.9, which
        can be met by moving all rows across the detector's boundary; ``"chance"`` is one over the
        number of classes. Verification: 69 against 29 %, at the same leakage.
    target_classes : mapping of str to str, optional
        The fixed class D_k of each attribute; its first class in ascending order unless given.
    schedule : {"alternate", "sum"}, default="alternate"
        Work against one attribute a step in turn, or against all at once, which verifies two
        points worse.
    detector_solver : {"lbfgs", "adam"}, default="lbfgs"
        Detectors solved to their optimum, or by the recipe of section 4.2 (Adam, 150 epochs).
    detector_C : float, default=1.0
        Inverse l2 penalty of the ``"lbfgs"`` detectors, as in scikit-learn.
    detector_interval : int, default=49
        Steps between re-trainings of the detectors; 49 are a quarter of an epoch of 100 000
        triplets.
    memory_limit : int, default=2**30
        Bytes that mining triplets may take beside a copy of `X`.
    """

    loss: Loss = "triplet"
    n_layers: int = 3
    n_units: int = 1024
    n_epochs: int | None = None
    batch_size: int = 512
    learning_rate: float = 1e-3
    init: Init = "orthogonal"
    margin: float = 0.2
    n_triplets: int = 100_000
    remine: bool = True
    hinge: bool = True
    adversarial_weight: float = 1.0
    target: float | Literal["chance"] = "chance"
    target_classes: Mapping[str, str] | None = None
    schedule: Schedule = "alternate"
    detector_solver: Solver = "lbfgs"
    detector_C: float = 1.0
    detector_interval: int = 49
    memory_limit: int = 2**30

    @property
    def epochs_per_layer(self) -> int:
        """Passes for each layer: `n_epochs`, or what suits the loss unless given."""
        if self.n_epochs is not None:
            return self.n_epochs
        return _TRIPLET_EPOCHS if self.loss == "triplet" else _ROW_EPOCHS

    def _check(self) -> None:
        """Refuse parameters that cannot be used, before any work."""
        require_one_of("loss", self.loss, ("triplet", "bce", "cross_entropy"))
        require_one_of("init", self.init, ("orthogonal", "glorot"))
        require_one_of("schedule", self.schedule, ("alternate", "sum"))
        require_one_of("detector_solver", self.detector_solver, ("lbfgs", "adam"))
        for name in ("n_layers", "n_units", "batch_size", "n_triplets"):
            require_int(name, getattr(self, name), minimum=1)
        if self.n_epochs is not None:
            require_int("n_epochs", self.n_epochs, minimum=1)
        require_int("detector_interval", self.detector_interval, minimum=1)
        require_int("memory_limit", self.memory_limit, minimum=2**20)
        require_real("learning_rate", self.learning_rate, above=0)
        require_real("margin", self.margin, above=0)
        require_real("detector_C", self.detector_C, above=0)
        require_real("adversarial_weight", self.adversarial_weight, minimum=0)
        if self.target != "chance":
            require_real("target", self.target, minimum=0, maximum=1)
