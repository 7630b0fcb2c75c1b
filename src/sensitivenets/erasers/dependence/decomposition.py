"""x = x_fair + residual: the training of `DataDomain`, in torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from sensitivenets.embeddings import Labels
from sensitivenets.erasers.dependence.measures import (
    FourierKernel,
    class_covariance,
    draw_kernel,
    median_distance,
)
from sensitivenets.erasers.dependence.parameters import DataDomainParameters
from sensitivenets.erasers.neural.networks import Encoder
from sensitivenets.erasers.neural.primary import IntArray, Primary, primary_task
from sensitivenets.erasers.neural.training import minimise
from sensitivenets.erasers.neural.training_rows import ClassCodes, TrainingRows
from sensitivenets.maps.mlp import MLP

_TINY = 1e-12


def decompose(
    rows: TrainingRows,
    target: Labels | None,
    parameters: DataDomainParameters,
    seed: int,
    device: torch.device,
) -> tuple[MLP, tuple[dict[str, Any], ...]]:
    """Train the encoder that gives x_fair.

    Parameters
    ----------
    rows : TrainingRows
        Embeddings, and the attributes to hide; D-P comes first.
    target : Labels or None
        What x_fair must keep of the rows of D-P.
    parameters : DataDomainParameters
        How to train.
    seed : int
        Decides everything random.
    device : torch.device
        Where to train.

    Returns
    -------
    map : MLP
        From x to x_fair.
    curve : tuple of dict
        A record an epoch.
    """
    generator = torch.Generator().manual_seed(seed)
    X = normalize(torch.from_numpy(rows.X).to(device), dim=1)
    encoder = identity_encoder(X.shape[1], parameters.n_hidden, generator).to(device)
    task = None
    if target is not None:
        task = primary_task(target, parameters, X.shape[1], generator, device)
    pairs = _endless(task, np.random.default_rng(seed))
    bandwidth = median_distance(X) or 1.0

    def terms(batch: Tensor) -> dict[str, Tensor]:
        drawn = draw_kernel(X.shape[1], parameters.n_fourier, bandwidth, generator)
        kernel = FourierKernel(drawn.frequencies.to(device), drawn.phases.to(device))
        before, groups = X[batch], [group.take(batch) for group in rows.hidden]
        fair = encoder(before)
        residual = before - fair
        length = residual.square().sum(1).mean()
        whole = hsic(kernel(before), groups).clamp(min=_TINY)
        dependence = hsic(kernel(fair), groups) / whole
        of_residual = hsic(kernel(residual), groups) / whole
        primary = length.new_zeros(())
        if task is not None:
            own = next(pairs)
            primary = task.loss(encoder(X[torch.from_numpy(own).to(device)]), own)
        loss = (
            length
            + parameters.hsic_weight * dependence
            - parameters.residual_weight * of_residual
            + parameters.primary_weight * primary
        )
        return {
            "loss": loss,
            "residual": length,
            "dependence": dependence,
            "residual_dependence": of_residual,
            "primary": primary,
        }

    curve = minimise(
        [*encoder.parameters(), *(task.parameters() if task is not None else ())],
        terms,
        len(X),
        n_epochs=parameters.n_epochs,
        batch_size=parameters.batch_size,
        learning_rate=parameters.learning_rate,
        generator=generator,
        device=device,
    )
    return encoder.freeze(), curve


def identity_encoder(n_features: int, n_hidden: int, generator: torch.Generator) -> Encoder:
    """Build an encoder to unit rows that starts as x -> normalise(x).

    With fewer than 2 `n_features` hidden units it starts as a projection.
    """
    encoder = Encoder(
        n_features, n_hidden, n_features, scale=1.0, normalise=True, generator=generator
    )
    first, second = encoder.weights
    with torch.no_grad():
        # Hidden units come in pairs of opposite sign: x @ first @ second is twice the output.
        second.copy_(second @ (first @ second / 2).T)
    return encoder


def hsic(features: Tensor, groups: Sequence[ClassCodes]) -> Tensor:
    """Sum over attributes of HSIC between features and classes."""
    values = [class_covariance(features, g.codes, g.n_classes).square().sum() for g in groups]
    return torch.stack(values).sum()


def _endless(task: Primary | None, rng: np.random.Generator) -> Iterator[IntArray]:
    while task is not None:
        yield from task.batches(rng)
