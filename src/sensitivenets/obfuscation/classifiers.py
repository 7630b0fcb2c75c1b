"""Training of pixel classifiers: the ensemble to confound, and the attackers afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sensitivenets.embeddings import Labels
from sensitivenets.embeddings.rows import row_blocks
from sensitivenets.errors import InputError
from sensitivenets.faces.images import Image
from sensitivenets.obfuscation.crops import check_pixels
from sensitivenets.obfuscation.networks import PixelClassifier, Reader, to_planes
from sensitivenets.progress import Progress, Steps

# Faces are aligned to about a pixel; shifts of this many are the same face.
_SHIFT = 4


def train_classifier(
    pixels: Image,
    labels: Labels,
    reader: Reader,
    *,
    n_epochs: int = 12,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    random_state: int = 0,
    device: torch.device | None = None,
    progress: Progress | None = None,
) -> PixelClassifier:
    """Train a classifier on faces, each mirrored and shifted at random.

    Classes weigh the same, as balanced accuracy asks; the learning rate falls along a cosine.

    Parameters
    ----------
    pixels : ndarray of shape (n, side, side, 3), uint8
        Aligned faces.
    labels : Labels
        Class of each; unlabelled ones are left out.
    reader : Reader
        Architecture.
    n_epochs : int, default=12
        Passes over the faces.
    batch_size : int, default=64
        Faces a step.
    learning_rate : float, default=2e-3
        Of Adam, at the start.
    random_state : int, default=0
        Decides weights, order and shifts.
    device : torch.device, optional
        Where to train; the CPU unless given.
    progress : Progress, optional
        Told of each epoch.

    Returns
    -------
    PixelClassifier
        In evaluation mode.

    Raises
    ------
    InputError
        If there are not two classes, or not one label a face.
    """
    check_pixels(pixels)
    if len(labels) != len(pixels):
        raise InputError(
            f"{labels.name}: expected one label for each of {len(pixels)} faces, "
            f"found {len(labels)}"
        )
    labels.require_two_classes()
    rows = np.flatnonzero(labels.labelled)
    rng = np.random.default_rng(random_state)
    network = PixelClassifier(reader, len(labels.classes), random_state)
    network.to(device)
    weights = class_weights(labels).to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    n_steps = n_epochs * -(-len(rows) // batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, n_steps)
    steps = Steps(n_epochs, progress)
    network.train()
    for _ in range(n_epochs):
        for some in batches(rng.permutation(rows), batch_size):
            faces = shifted(to_planes(pixels[some], device), rng)
            loss = functional.cross_entropy(network(faces), targets(labels, some, device), weights)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
        steps.advance(f"loss {loss.item():.3f}")
    network.eval()
    return network


def batches(rows: np.typing.NDArray[np.int64], size: int) -> Iterator[np.typing.NDArray[np.int64]]:
    """Cut rows into batches; a last one of a single row is left out."""
    for batch in row_blocks(len(rows), size):
        some = rows[batch]
        if len(some) > 1:
            yield some


def targets(
    labels: Labels, rows: np.typing.NDArray[np.int64], device: torch.device | None
) -> Tensor:
    """Codes of some rows, on a device."""
    return torch.from_numpy(labels.codes[rows].astype(np.int64)).to(device)


def class_weights(labels: Labels) -> Tensor:
    """Weights that make classes count the same: shape (n_classes,), mean 1 over the rows."""
    counts = np.bincount(labels.codes[labels.labelled], minlength=len(labels.classes))
    weights = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return torch.from_numpy(weights.astype(np.float32))


def shifted(faces: Tensor, rng: np.random.Generator) -> Tensor:
    """Mirror half of a batch, and shift the batch by some pixels, edges repeated."""
    mirrored = torch.from_numpy(rng.random(len(faces)) < 0.5).to(faces.device)
    faces = torch.where(mirrored[:, None, None, None], faces.flip(3), faces)
    down, right = (int(k) for k in rng.integers(0, 2 * _SHIFT + 1, 2))
    height, width = faces.shape[2:]
    padded = functional.pad(faces, (_SHIFT,) * 4, mode="replicate")
    return padded[:, :, down : down + height, right : right + width]
