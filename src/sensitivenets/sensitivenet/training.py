"""Fig. 2: phi and its detectors, layer by layer, each against the other's best response."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.collapse import measure_collapse
from sensitivenets.sensitivenet.detectors import (
    Adversary,
    FrozenDetector,
    best_responses,
    regulariser,
)
from sensitivenets.sensitivenet.phi import Phi, compact, unit_rows
from sensitivenets.sensitivenet.settings import TrainingSettings
from sensitivenets.sensitivenet.tasks import PhiBatch, PrimaryTask

# Rows looked at for rank and spread after each epoch.
_COLLAPSE_ROWS = 2000


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
        Of phi on rows of D-P; see `sensitivenets.embeddings.collapse.Collapse`.
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


def train(
    X: FloatArray,
    make_task: Callable[[FloatArray], PrimaryTask],
    adversaries: Sequence[Adversary],
    settings: TrainingSettings,
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
    settings : TrainingSettings
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
    phi = Phi(X, settings.n_units, device)
    sample = X[rng.permutation(len(X))[:_COLLAPSE_ROWS]]
    output = X
    for layer in range(1, settings.n_layers + 1):
        task = make_task(output)
        phi.add_layer(settings.init, generator)
        optimiser = torch.optim.Adam(
            [phi.weight, *task.parameters()], lr=settings.learning_rate, fused=True
        )
        detectors: list[FrozenDetector] = []
        step = 0
        for epoch in range(1, settings.n_epochs + 1):
            losses = []
            for batch in task.batches(settings.batch_size, rng):
                if step % settings.detector_interval == 0:
                    detectors = best_responses(adversaries, phi.folded(), device)
                primary, hidden = eq4_terms(phi, task, batch, detectors, settings, step)
                loss = primary + settings.adversarial_weight * hidden
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                losses.append((loss.item(), primary.item(), hidden.item()))
                step += 1
            root, _ = compact(phi.folded())
            report(_record(layer, epoch, losses, detectors, unit_rows(sample, root)))
        output = unit_rows(X, root)
    return phi.folded()


def eq4_terms(
    phi: Phi,
    task: PrimaryTask,
    batch: PhiBatch,
    detectors: Sequence[FrozenDetector],
    settings: TrainingSettings,
    step: int,
) -> tuple[Tensor, Tensor]:
    """Compute the two terms of Eq. 4 on one batch.

    Returns
    -------
    primary : Tensor, scalar
        Mean of L'0 over triplets (or rows).
    hidden : Tensor, scalar
        Mean of Lambda_A + Lambda_P + Lambda_N over triplets (or of Lambda over rows).
    """
    if settings.schedule == "alternate" and detectors:
        detectors = [detectors[step % len(detectors)]]
    head = task.head()
    columns = [] if head is None else [head]
    columns += [detector.weight for detector in detectors]
    directions = torch.cat(columns, dim=1) if columns else phi.weight.new_empty(settings.n_units, 0)
    cosines, products = phi.products(batch.rows, batch.left, batch.right, directions)
    n_head = 0 if head is None else head.shape[1]
    primary = task.loss(batch, cosines, products[:, :n_head])
    weights = batch.weights.to(products.device)
    return primary, regulariser(products[:, n_head:], detectors, weights)


def _record(
    layer: int,
    epoch: int,
    losses: list[tuple[float, float, float]],
    detectors: Sequence[FrozenDetector],
    output: FloatArray,
) -> EpochRecord:
    loss, primary, hidden = np.mean(losses, axis=0).tolist()
    accuracies = {detector.name: detector.balanced_accuracy for detector in detectors}
    collapse = measure_collapse(output)
    rank, spread = collapse.effective_rank, collapse.spread
    return EpochRecord(layer, epoch, loss, primary, hidden, accuracies, rank, spread)
