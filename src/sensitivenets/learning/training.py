"""Fig. 2: phi and its detectors, layer by layer, each against the other's best response."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from sensitivenets.collapse import measure_collapse
from sensitivenets.embeddings import FloatArray
from sensitivenets.learning.detectors import DetectorTrainer
from sensitivenets.learning.losses import sensitive_regulariser
from sensitivenets.learning.projection import Init, Phi, compact, unit_rows
from sensitivenets.learning.tasks import Task

Schedule = Literal["alternate", "sum"]

# Rows looked at for rank and spread after each epoch.
_COLLAPSE_ROWS = 2000


@dataclass(frozen=True)
class Settings:
    """How to train; the meaning of each is in the docstring of `SensitiveNet`."""

    n_layers: int
    n_units: int
    init: Init
    n_epochs: int
    batch_size: int
    learning_rate: float
    adversarial_weight: float
    target: float
    schedule: Schedule
    detector_interval: int


@dataclass(frozen=True)
class Adversary:
    """One attribute to remove: who detects it, on what, and the class D_k all rows shall show."""

    trainer: DetectorTrainer
    X: FloatArray
    target_class: int


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch reached.

    Attributes
    ----------
    layer, epoch : int
        Counted from 1.
    loss, primary, regulariser : float
        Means over the epoch: primary + adversarial_weight * regulariser, L'0, and Lambda.
    detectors : dict of str to float
        Balanced accuracy of each detector on rows of D-S it was not fitted on, when last
        re-trained; towards chance is better.
    effective_rank, spread : float
        Of phi on rows of D-P; see `sensitivenets.collapse.Collapse`.
    """

    layer: int
    epoch: int
    loss: float
    primary: float
    regulariser: float
    detectors: dict[str, float]
    effective_rank: float
    spread: float

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class FrozenDetector:
    """A detector on phi as the loss of phi sees it: constants."""

    name: str
    weight: Tensor
    bias: Tensor
    target_class: int
    balanced_accuracy: float


def train(
    X: FloatArray,
    make_task: Callable[[FloatArray], Task],
    adversaries: Sequence[Adversary],
    settings: Settings,
    *,
    seed: int,
    device: torch.device,
    report: Callable[[EpochRecord], None],
) -> FloatArray:
    """Solve Eq. 4 for one layer after the other.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32
        Unit embeddings of D-P.
    make_task : callable
        Given unit rows with the lengths and angles of the frozen layers' output, returns the
        primary task of the next layer: it decides whether triplets are mined again.
    adversaries : sequence of Adversary
        One an attribute; D-S may differ between them.
    settings : Settings
        How to train.
    seed : int
        Decides initial weights and the order of batches.
    device : torch.device
        Where to train phi.
    report : callable
        Called with an `EpochRecord` after each epoch.

    Returns
    -------
    ndarray of shape (d, n_units), float32
        The product of all layers.
    """
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    sample = X[rng.permutation(len(X))[:_COLLAPSE_ROWS]]
    phi = Phi(X, settings.n_units, device)
    frozen_output = X
    for layer in range(1, settings.n_layers + 1):
        task = make_task(frozen_output)
        phi.add_layer(settings.init, generator)
        parameters = [phi.weight, *task.parameters()]
        optimiser = torch.optim.Adam(parameters, lr=settings.learning_rate, fused=True)
        detectors: list[FrozenDetector] = []
        step = 0
        for epoch in range(1, settings.n_epochs + 1):
            losses = []
            for batch in task.batches(settings.batch_size, rng):
                if step % settings.detector_interval == 0:
                    detectors = best_responses(adversaries, phi.folded(), device)
                active = _active(detectors, settings.schedule, step)
                head = task.head()
                directions = _directions(head, active, phi.weight)
                cosines, products = phi.products(batch.rows, batch.left, batch.right, directions)
                n_head = 0 if head is None else head.shape[1]
                primary = task.loss(batch, cosines, products[:, :n_head])
                weights = batch.weights.to(device)
                regulariser = _regulariser(
                    products[:, n_head:], active, settings.target, weights
                )  # Lambda_A + Lambda_P + Lambda_N, mean over the batch
                loss = primary + settings.adversarial_weight * regulariser
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                losses.append((loss.item(), primary.item(), regulariser.item()))
                step += 1
            root, _ = compact(phi.folded())
            collapse = measure_collapse(unit_rows(sample, root))
            report(
                EpochRecord(
                    layer,
                    epoch,
                    *np.mean(losses, axis=0).tolist(),
                    {d.name: d.balanced_accuracy for d in detectors},
                    collapse.effective_rank,
                    collapse.spread,
                )
            )
        frozen_output = unit_rows(X, root)
    return phi.folded()


def best_responses(
    adversaries: Sequence[Adversary], folded: FloatArray, device: torch.device
) -> list[FrozenDetector]:
    """Re-train every detector on phi(D-S) and freeze it.

    The fit takes place in the `compact` form of phi, whose optimum is the same, turned.
    """
    root, basis = compact(folded)
    frozen = []
    for adversary in adversaries:
        detector = adversary.trainer.fit(unit_rows(adversary.X, root))
        frozen.append(
            FrozenDetector(
                adversary.trainer.attribute.name,
                torch.from_numpy(basis @ detector.weight).to(device),
                torch.from_numpy(detector.bias).to(device),
                adversary.target_class,
                detector.balanced_accuracy,
            )
        )
    return frozen


def _active(detectors: list[FrozenDetector], schedule: Schedule, step: int) -> list[FrozenDetector]:
    """Return the detectors that this step works against: one in turn, or all."""
    if schedule == "sum" or not detectors:
        return detectors
    return [detectors[step % len(detectors)]]


def _directions(head: Tensor | None, active: list[FrozenDetector], like: Tensor) -> Tensor:
    columns = ([] if head is None else [head]) + [detector.weight for detector in active]
    return torch.cat(columns, dim=1) if columns else like.new_empty(like.shape[1], 0)


def _regulariser(
    products: Tensor, active: list[FrozenDetector], target: float, weights: Tensor
) -> Tensor:
    """Eq. 6 through each active detector, weighted over the rows of the batch."""
    total = products.new_zeros(())
    first = 0
    for detector in active:
        logits = products[:, first : first + len(detector.bias)] + detector.bias
        probability = torch.softmax(logits, dim=1)[:, detector.target_class]
        total = total + weights @ sensitive_regulariser(probability, target=target)
        first += len(detector.bias)
    return total
