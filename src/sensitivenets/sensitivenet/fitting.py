"""From labelled embeddings to a trained phi: who keeps what, who detects what, then Fig. 2."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.errors import DetectorWarning, InputError, require_one_of
from sensitivenets.sensitivenet.detectors import Adversary, DetectorTrainer
from sensitivenets.sensitivenet.settings import TrainingSettings
from sensitivenets.sensitivenet.tasks import ClassificationTask, PrimaryTask, TripletMiner
from sensitivenets.sensitivenet.training import EpochRecord, train


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
    settings: TrainingSettings,
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
    settings : TrainingSettings
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
    adversaries = make_adversaries(attributes, X_detector, settings, seed)
    miner = triplet_miner(labels, settings, seed) if settings.loss == "triplet" else None
    curve: list[EpochRecord] = []
    with training_progress(settings.n_layers, settings.n_epochs, verbose=verbose) as show:

        def report(record: EpochRecord) -> None:
            curve.append(record)
            show(record)

        weight = train(
            X,
            miner or classification(labels, settings, device),
            adversaries,
            settings,
            seed=seed,
            device=device,
            report=report,
        )
    if miner is None:
        return TrainedPhi(weight, tuple(curve))
    first = miner.mined[0]
    return TrainedPhi(weight, tuple(curve), first.n_found, len(first))


def triplet_miner(subjects: Labels, settings: TrainingSettings, seed: int) -> TripletMiner:
    """Build the maker of triplet tasks."""
    return TripletMiner(
        subjects.codes,
        margin=settings.margin,
        hinge=settings.hinge,
        n_triplets=settings.n_triplets,
        remine=settings.remine,
        memory_limit=settings.memory_limit,
        rng=np.random.default_rng(seed),
    )


def classification(
    labels: Labels, settings: TrainingSettings, device: torch.device
) -> Callable[[FloatArray], PrimaryTask]:
    """Build the maker of classification tasks; a new layer starts with a new head."""
    n_outputs = 1 if settings.loss == "bce" else len(labels.classes)
    return lambda _: ClassificationTask(labels.codes, n_outputs, settings.n_units, device)


def make_adversaries(
    attributes: Mapping[str, Labels], X: FloatArray, settings: TrainingSettings, seed: int
) -> list[Adversary]:
    """Train the first detector of each attribute, on the embeddings themselves.

    Raises
    ------
    InputError
        If `target_classes` names an unknown attribute or class.

    Warns
    -----
    DetectorWarning
        If a detector reads its attribute no better than chance.
    """
    targets = dict(settings.target_classes or {})
    unknown = sorted(set(targets) - set(attributes))
    if unknown:
        raise InputError(
            f"target_classes: {unknown} not among the attributes to remove, {list(attributes)}"
        )
    adversaries = []
    for name, labels in attributes.items():
        target = targets.get(name, labels.classes[0])
        require_one_of(f"target_classes[{name!r}]", target, labels.classes)
        trainer = DetectorTrainer(
            labels, solver=settings.detector_solver, C=settings.detector_C, seed=seed
        )
        read = trainer.fit(X).balanced_accuracy
        if not read > trainer.chance_ceiling:
            warnings.warn(
                f"the detector of {name!r} never learned it: balanced accuracy {100 * read:.1f} % "
                f"on held-out rows, where chance reaches {100 * trainer.chance_ceiling:.1f} %; "
                "there is nothing linear to remove, or D-S is too small to see it",
                DetectorWarning,
                stacklevel=2,
            )
        aim = 1 / len(labels.classes) if settings.target == "chance" else float(settings.target)
        adversaries.append(Adversary(trainer, X, labels.classes.index(target), aim))
    return adversaries


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
