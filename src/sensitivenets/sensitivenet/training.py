"""Fig. 2: phi and its detectors, layer by layer, each against the other's best response."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.embeddings.collapse import measure_collapse
from sensitivenets.sensitivenet.detectors import (
    Adversary,
    FrozenDetector,
    best_responses,
    make_adversaries,
    regulariser,
)
from sensitivenets.sensitivenet.parameters import PhiParameters
from sensitivenets.sensitivenet.phi import Phi, compact, unit_rows
from sensitivenets.sensitivenet.tasks import ClassificationTask, PhiBatch, PrimaryTask, TripletMiner

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


@dataclass(frozen=True)
class TrainedPhi:
    """What a fit leaves behind.

    Attributes
    ----------
    weight : ndarray of shape (d, n_units), float32
        The product of all layers.
    curve : tuple of EpochRecord
        One record an epoch.
    n_triplets_found, n_triplets_used : int
        Triplets of the first layer that satisfy Eq. 3, and how many were trained on.
    """

    weight: FloatArray
    curve: tuple[EpochRecord, ...]
    n_triplets_found: int = 0
    n_triplets_used: int = 0


def fit_phi(
    X: FloatArray,
    labels: Labels,
    attributes: Mapping[str, Labels],
    X_detector: FloatArray,
    parameters: PhiParameters,
    *,
    seed: int,
    device: torch.device,
    verbose: bool = False,
) -> TrainedPhi:
    """Train phi on D-P against detectors on D-S.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32
        D-P, unit rows.
    labels : Labels
        Identity or class of the rows of `X`.
    attributes : mapping of str to Labels
        Attributes of the rows of `X_detector`.
    X_detector : ndarray of shape (m, d), float32
        D-S, unit rows.
    parameters : PhiParameters
        How to train.
    seed : int
        Decides everything random.
    device : torch.device
        Where to train.
    verbose : bool
        Show a progress bar on stderr.

    Returns
    -------
    TrainedPhi
        See there.
    """
    adversaries = make_adversaries(attributes, X_detector, parameters, seed)
    miner = triplet_miner(labels, parameters, seed) if parameters.loss == "triplet" else None
    curve: list[EpochRecord] = []
    with training_progress(
        parameters.n_layers, parameters.epochs_per_layer, verbose=verbose
    ) as show:

        def report(record: EpochRecord) -> None:
            curve.append(record)
            show(record)

        weight = train(
            X,
            miner or classification(labels, parameters, device),
            adversaries,
            parameters,
            seed=seed,
            device=device,
            report=report,
        )
    if miner is None:
        return TrainedPhi(weight, tuple(curve))
    first = miner.mined[0]
    return TrainedPhi(weight, tuple(curve), first.n_found, len(first))


def triplet_miner(subjects: Labels, parameters: PhiParameters, seed: int) -> TripletMiner:
    """Build the maker of triplet tasks."""
    return TripletMiner(
        subjects.codes,
        margin=parameters.margin,
        hinge=parameters.hinge,
        n_triplets=parameters.n_triplets,
        remine=parameters.remine,
        memory_limit=parameters.memory_limit,
        rng=np.random.default_rng(seed),
    )


def classification(
    labels: Labels, parameters: PhiParameters, device: torch.device
) -> Callable[[FloatArray], PrimaryTask]:
    """Build the maker of classification tasks; a new layer starts with a new head."""
    n_outputs = 1 if parameters.loss == "bce" else len(labels.classes)
    return lambda _: ClassificationTask(labels.codes, n_outputs, parameters.n_units, device)


def train(
    X: FloatArray,
    make_task: Callable[[FloatArray], PrimaryTask],
    adversaries: Sequence[Adversary],
    parameters: PhiParameters,
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
    parameters : PhiParameters
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
    phi = Phi(X, parameters.n_units, device)
    sample = X[rng.permutation(len(X))[:_COLLAPSE_ROWS]]
    output = X
    for layer in range(1, parameters.n_layers + 1):
        task = make_task(output)
        phi.add_layer(parameters.init, generator)
        optimiser = torch.optim.Adam(
            [phi.weight, *task.parameters()], lr=parameters.learning_rate, fused=True
        )
        detectors: list[FrozenDetector] = []
        step = 0
        for epoch in range(1, parameters.epochs_per_layer + 1):
            losses = []
            for batch in task.batches(parameters.batch_size, rng):
                if step % parameters.detector_interval == 0:
                    detectors = best_responses(adversaries, phi.folded(), device)
                primary, hidden = eq4_terms(phi, task, batch, detectors, parameters, step)
                loss = primary + parameters.adversarial_weight * hidden
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
    parameters: PhiParameters,
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
    if parameters.schedule == "alternate" and detectors:
        detectors = [detectors[step % len(detectors)]]
    head = task.head()
    columns = [] if head is None else [head]
    columns += [detector.weight for detector in detectors]
    directions = (
        torch.cat(columns, dim=1) if columns else phi.weight.new_empty(parameters.n_units, 0)
    )
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


@contextmanager
def training_progress(
    n_layers: int, n_epochs: int, *, verbose: bool
) -> Iterator[Callable[[EpochRecord], None]]:
    """Show a bar with one step an epoch.

    Parameters
    ----------
    n_layers, n_epochs : int
        Layers, and epochs a layer.
    verbose : bool
        Show nothing if False.

    Yields
    ------
    callable
        Call it with each `EpochRecord`.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=6),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[state]}"),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not verbose) as progress:
        bar = progress.add_task("Training", total=n_layers * n_epochs, state="")

        def show(record: EpochRecord) -> None:
            read = "".join(f" {name} {100 * a:.0f} %" for name, a in record.detectors.items())
            state = (
                f"L'0 {record.primary:.2f} Λ {record.regulariser:.2f} "
                f"rank {record.effective_rank:.0f}{read}"
            )
            layer = f"Training layer {record.layer}"
            progress.update(bar, advance=1, description=layer, state=state)

        yield show
