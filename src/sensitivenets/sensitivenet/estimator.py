"""SensitiveNet: the paper's estimator."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

from sensitivenets.embeddings import FloatArray, Labels, check_vectors
from sensitivenets.embeddings.collapse import warn_of_collapse
from sensitivenets.embeddings.rows import normalise_rows
from sensitivenets.erasers.base import Eraser, FitData, Learned, parameterised
from sensitivenets.erasers.neural.trained import training_device
from sensitivenets.errors import DetectorWarning, InputError
from sensitivenets.maps.projection import Projection
from sensitivenets.sensitivenet.parameters import PhiParameters


@parameterised
class SensitiveNet(PhiParameters, Eraser):
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
    device : str, optional
        Torch device; the GPU if there is one, unless given.
    verbose : bool, default=False
        Show a progress bar on stderr.

    Attributes
    ----------
    model_ : Model
        The fitted map with its record; `sensitivenets.maps.model_folder.save_model` writes it.
        Its fingerprint says how many triplets satisfy Eq. 3 and how many were trained on.

    Warns
    -----
    DetectorWarning
        By `fit`, without attributes: phi is then trained for the primary task alone. Also if a
        detector never learns its attribute.

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

    device: str | None = None
    verbose: bool = False

    _needs_attributes: ClassVar[bool] = False

    def _learn(self, data: FitData) -> Learned:
        device = training_device(self.device)
        from sensitivenets.sensitivenet.training import fit_phi

        self._check()
        labels = self._primary_labels(data)
        unit = _unit_copy(data.X, "X")
        same = data.X_sensitive is data.X
        trained = fit_phi(
            unit,
            labels,
            data.attributes,
            unit if same else _unit_copy(data.X_sensitive, "detector"),
            self,
            seed=data.seed,
            device=device,
            verbose=self.verbose,
        )
        phi = Projection(trained.weight)
        warn_of_collapse(unit, phi)
        triplets = {"found": trained.n_triplets_found, "used": trained.n_triplets_used}
        curve = tuple(record.to_dict() for record in trained.curve)
        return Learned(phi, curve, {"triplets": triplets})

    def _go_without_attributes(self) -> None:
        warnings.warn(
            "no sensitive attribute given: phi is trained for the primary task alone and "
            "removes nothing; pass sensitive= or detector=",
            DetectorWarning,
            stacklevel=3,
        )

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


def _unit_copy(X: FloatArray, where: str) -> FloatArray:
    """Return `X` with every row scaled to unit length."""
    check_vectors(X, where)
    unit = X.copy()
    normalise_rows(unit)
    return unit
