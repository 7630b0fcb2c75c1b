"""Training of an obfuscator: the face is kept, the picture nearly, the attribute not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.errors import InputError
from sensitivenets.faces.images import Image
from sensitivenets.obfuscation.checkpoints import Checkpoint
from sensitivenets.obfuscation.classifiers import batches, class_weights, targets
from sensitivenets.obfuscation.crops import check_pixels
from sensitivenets.obfuscation.face_module import FaceModule
from sensitivenets.obfuscation.networks import Obfuscator, PixelClassifier, to_planes
from sensitivenets.obfuscation.settings import ObfuscationSettings
from sensitivenets.obfuscation.terms import Confusion, FaceBatch, HidingTerm, Independence
from sensitivenets.progress import Progress, Steps


@dataclass(frozen=True)
class Faces:
    """What an obfuscator learns from.

    Attributes
    ----------
    pixels : ndarray of shape (n, side, side, 3), uint8
        Aligned faces.
    embeddings : ndarray of shape (n, d), float32
        Their unit embeddings, by the network that must go on matching them.
    labels : Labels
        The attribute to hide, of two classes; all rows labelled.
    """

    pixels: Image
    embeddings: FloatArray
    labels: Labels

    def __post_init__(self) -> None:
        check_pixels(self.pixels)
        sizes = {len(self.pixels), len(self.embeddings), len(self.labels)}
        if len(sizes) != 1:
            raise InputError(
                f"faces: expected as many embeddings and labels as faces, found {sorted(sizes)}"
            )
        if len(self.labels.classes) != 2 or not self.labels.labelled.all():
            raise InputError(
                f"{self.labels.name}: expected two classes and a label on every row, found "
                f"{', '.join(self.labels.classes)}; leave the other rows out"
            )
        self.labels.require_two_classes()


@dataclass(frozen=True)
class Trained:
    """An obfuscator and how it came about.

    Attributes
    ----------
    obfuscator : Obfuscator
        In evaluation mode.
    curve : tuple of dict
        A record an epoch, means over it: ``loss``, ``hiding``, ``matching`` (1 - cosine) and
        ``reconstruction`` (mean squared change), each before its weight.
    """

    obfuscator: Obfuscator
    curve: tuple[dict[str, float], ...]


def train_obfuscator(
    faces: Faces,
    matcher: FaceModule,
    settings: ObfuscationSettings,
    *,
    ensemble: Sequence[PixelClassifier] = (),
    checkpoint: Path | None = None,
    device: torch.device | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Train an obfuscator on faces.

    Parameters
    ----------
    faces : Faces
        Training faces.
    matcher : FaceModule
        The network that made `faces.embeddings`.
    settings : ObfuscationSettings
        How to train.
    ensemble : sequence of PixelClassifier
        For ``semi_adversarial``: trained on faces as they are; changed here if they adapt.
    checkpoint : Path, optional
        File written after each epoch. Where it is there, training goes on after it, to the same
        weights as without a stop.
    device : torch.device, optional
        Where to train; the CPU unless given.
    progress : Progress, optional
        Told of each step.

    Returns
    -------
    Trained
        See there.

    Raises
    ------
    InputError
        If there is no ensemble to confound, or the checkpoint is of other settings.
    """
    term = _term(faces, settings, ensemble, device)
    obfuscator = Obfuscator(settings.width, settings.strength, settings.random_state)
    obfuscator.to(device)
    matcher.to(device)
    optimiser = torch.optim.Adam(obfuscator.parameters(), lr=settings.learning_rate)
    saved = Checkpoint(
        checkpoint, asdict(settings), [(obfuscator, optimiser), *term.trained_networks()]
    )
    curve = saved.restore()
    per_epoch = len(list(batches(np.arange(len(faces.pixels)), settings.batch_size)))
    steps = Steps(settings.n_epochs * per_epoch, progress, len(curve) * per_epoch)
    obfuscator.train()
    for epoch in range(len(curve), settings.n_epochs):
        # Seeded for each epoch: what was interrupted goes on as it would have.
        rng = np.random.default_rng([settings.random_state, epoch])
        records = []
        for k, rows in enumerate(batches(rng.permutation(len(faces.pixels)), settings.batch_size)):
            _set_rate(optimiser, settings, epoch + k / per_epoch)
            batch = _forward(faces, rows, obfuscator, matcher, settings.matched_share, device)
            terms = _terms(batch, term, settings, rng)
            optimiser.zero_grad()
            terms["loss"].backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            term.answer(batch, rng)
            records.append({name: float(value.detach()) for name, value in terms.items()})
            steps.advance(_said(records[-1]))
        curve.append({name: float(np.mean([r[name] for r in records])) for name in records[0]})
        saved.write(curve)
    obfuscator.eval()
    return Trained(obfuscator, tuple(curve))


def _term(
    faces: Faces,
    settings: ObfuscationSettings,
    ensemble: Sequence[PixelClassifier],
    device: torch.device | None,
) -> HidingTerm:
    if settings.method == "data_domain":
        embeddings = torch.from_numpy(faces.embeddings).to(device)
        codes = targets(faces.labels, np.arange(len(embeddings)), device)
        return Independence(embeddings, codes, settings.residual_weight)
    if not ensemble:
        raise InputError(
            "ensemble: expected at least one classifier to confound, found none; train some with "
            "`train_classifier`"
        )
    weights = class_weights(faces.labels).to(device)
    return Confusion(ensemble, settings.target, weights, settings.adaptation)


def _forward(
    faces: Faces,
    rows: np.typing.NDArray[np.int64],
    obfuscator: Obfuscator,
    matcher: FaceModule,
    matched_share: float,
    device: torch.device | None,
) -> FaceBatch:
    before = to_planes(faces.pixels[rows], device)
    after = obfuscator(before)
    matched = max(1, round(matched_share * len(rows)))
    embedding = torch.from_numpy(faces.embeddings[rows[:matched]]).to(device)
    codes = targets(faces.labels, rows, device)
    places = torch.from_numpy(rows).to(device)
    return FaceBatch(places, before, after, embedding, matcher(after[:matched]), codes)


def _terms(
    batch: FaceBatch, term: HidingTerm, settings: ObfuscationSettings, rng: np.random.Generator
) -> dict[str, Tensor]:
    hiding = term.loss(batch, rng)
    matching = 1 - (batch.embedding * batch.changed).sum(1).mean()
    reconstruction = (batch.after - batch.before).square().mean()
    loss = (
        settings.hiding_weight * hiding
        + settings.matching_weight * matching
        + settings.reconstruction_weight * reconstruction
    )
    return {"loss": loss, "hiding": hiding, "matching": matching, "reconstruction": reconstruction}


def _set_rate(
    optimiser: torch.optim.Optimizer, settings: ObfuscationSettings, epoch: float
) -> None:
    share = epoch / settings.n_epochs
    for group in optimiser.param_groups:
        group["lr"] = settings.learning_rate * (1 + np.cos(np.pi * share)) / 2


def _said(record: dict[str, float]) -> str:
    return (
        f"hiding {record['hiding']:.3f}, cosine {1 - record['matching']:.3f}, "
        f"change {record['reconstruction'] ** 0.5:.3f}"
    )
