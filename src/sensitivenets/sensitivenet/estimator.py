"""SensitiveNet: the paper's estimator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal

import numpy as np

from sensitivenets.embeddings import Labels
from sensitivenets.embeddings.collapse import warn_of_collapse
from sensitivenets.erasers.base import Eraser, FitData, Learned, unit_copy
from sensitivenets.erasers.neural.trained import training_device
from sensitivenets.errors import InputError
from sensitivenets.maps.base import Model
from sensitivenets.maps.projection import Projection

# 100 000 triplets are 196 steps of the default batch; a few thousand rows are ten.
_TRIPLET_EPOCHS, _ROW_EPOCHS = 2, 100


class SensitiveNet(Eraser):
    """Learn a projection phi that keeps a primary task and hides sensitive attributes.

    Dense layers with linear activation and an l2-normalisation, trained one after the other
    against detectors of the attributes (Morales, Fierrez, Vera-Rodriguez and Tolosana,
    "SensitiveNets: Learning Agnostic Representations with Application to Face Images", TPAMI
    2020). The layers fold into one matrix, so `transform` is a matrix product and a
    normalisation, in numpy.

    What the paper leaves open is a parameter here, and its default was measured on validation
    splits of real faces: docs/paper_method.md has the numbers. phi is linear: an attacker who
    whitens before attacking undoes much of it. Judge a result with `sensitivenets.audit`.

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
    device : str, optional
        Torch device; the GPU if there is one, unless given.
    verbose : bool, default=False
        Show a progress bar on stderr.
    random_state : int, RandomState or None, default=None
        Decides everything random; the same int gives the same bits on the same machine with the
        same number of threads.

    Attributes
    ----------
    model_ : Model
        The fitted map with its record; `sensitivenets.maps.model_folder.save_model` writes it.
        Its fingerprint says how many triplets satisfy Eq. 3 and how many were trained on.

    Examples
    --------
    >>> from sensitivenets.datasets.synthetic import synthetic_diveface
    >>> table = synthetic_diveface(n_subjects=60, images_per_subject=4, random_state=0)
    >>> net = SensitiveNet(n_layers=1, n_epochs=1, n_triplets=500, random_state=0)
    >>> sensitive = {"gender": table.column("gender")}
    >>> phi = net.fit_transform(table.vectors, table.column("subject"), sensitive=sensitive)
    >>> phi.shape
    (240, 1024)
    """

    model_: Model

    def __init__(
        self,
        *,
        loss: Literal["triplet", "bce", "cross_entropy"] = "triplet",
        n_layers: int = 3,
        n_units: int = 1024,
        n_epochs: int | None = None,
        batch_size: int = 512,
        learning_rate: float = 1e-3,
        init: Literal["orthogonal", "glorot"] = "orthogonal",
        margin: float = 0.2,
        n_triplets: int = 100_000,
        remine: bool = True,
        hinge: bool = True,
        adversarial_weight: float = 1.0,
        target: float | Literal["chance"] = "chance",
        target_classes: Mapping[str, str] | None = None,
        schedule: Literal["alternate", "sum"] = "alternate",
        detector_solver: Literal["lbfgs", "adam"] = "lbfgs",
        detector_C: float = 1.0,
        detector_interval: int = 49,
        memory_limit: int = 2**30,
        device: str | None = None,
        verbose: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.loss = loss
        self.n_layers = n_layers
        self.n_units = n_units
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.init = init
        self.margin = margin
        self.n_triplets = n_triplets
        self.remine = remine
        self.hinge = hinge
        self.adversarial_weight = adversarial_weight
        self.target = target
        self.target_classes = target_classes
        self.schedule = schedule
        self.detector_solver = detector_solver
        self.detector_C = detector_C
        self.detector_interval = detector_interval
        self.memory_limit = memory_limit
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def _learn(self, data: FitData) -> Learned:
        device = training_device(self.device)
        from sensitivenets.sensitivenet.fitting import fit_phi
        from sensitivenets.sensitivenet.settings import TrainingSettings

        parameters = {f.name: getattr(self, f.name) for f in fields(TrainingSettings)}
        if self.n_epochs is None:
            parameters["n_epochs"] = _TRIPLET_EPOCHS if self.loss == "triplet" else _ROW_EPOCHS
        settings = TrainingSettings(**parameters)
        labels = self._primary_labels(data)
        unit = unit_copy(data.X, "X")
        same = data.X_sensitive is data.X
        trained = fit_phi(
            unit,
            labels,
            data.attributes,
            unit if same else unit_copy(data.X_sensitive, "detector"),
            settings,
            seed=data.seed,
            device=device,
            verbose=self.verbose,
        )
        phi = Projection(trained.weight)
        warn_of_collapse(unit, phi)
        triplets = {"found": trained.n_triplets_found, "used": trained.n_triplets_used}
        curve = tuple(record.to_dict() for record in trained.curve)
        return Learned(phi, curve, {"triplets": triplets})

    def _primary_labels(self, data: FitData) -> Labels:
        """Return what phi must keep: the identity, or the class, of each row."""
        kept = "identity" if self.loss == "triplet" else "class"
        labels = data.require_target(f"loss={self.loss!r}", kept)
        if self.loss == "bce" and len(labels.classes) != 2:
            raise InputError(
                f"loss='bce': expected two classes in y, found {len(labels.classes)}; "
                "use loss='cross_entropy'"
            )
        return labels

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
