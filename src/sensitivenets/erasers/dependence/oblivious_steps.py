"""The steps of Obliviator: train an encoder by HSIC, then project its kernel features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sensitivenets.embeddings import FloatArray
from sensitivenets.erasers.dependence.measures import (
    FourierKernel,
    class_covariance,
    cross_covariance,
    draw_kernel,
    median_distance,
)
from sensitivenets.erasers.dependence.null_projection import View, null_projection
from sensitivenets.erasers.dependence.parameters import ObliviatorParameters
from sensitivenets.erasers.neural.networks import Encoder
from sensitivenets.erasers.neural.training_rows import ClassCodes, TrainingRows, batches
from sensitivenets.maps.base import FittedMap
from sensitivenets.maps.chain import Chain
from sensitivenets.maps.projection import Projection

# Weights of the eigenproblem, of the released settings: the rows of the iteration before, those
# of the start, and the target.
_PREVIOUS, _START, _TARGET = 1.0, 0.2, 2.0
# While an encoder is trained its kernel is wider than the median distance, as in the released code.
_TRAINING_WIDTH = 1.5
_WEIGHT_DECAY = 1e-3


def erase(
    rows: TrainingRows,
    parameters: ObliviatorParameters,
    n_iterations: int,
    seed: int,
    device: torch.device,
) -> tuple[Chain, tuple[dict[str, Any], ...]]:
    """Run all iterations.

    Parameters
    ----------
    rows : TrainingRows
        Embeddings and labels.
    parameters : ObliviatorParameters
        How to take a step.
    n_iterations : int
        Encoders.
    seed : int
        Decides everything random.
    device : torch.device
        Where to train.

    Returns
    -------
    map : Chain
        Standardise, project, and encode and project for each iteration.
    curve : tuple of dict
        A record an iteration.
    """
    steps = _Steps(rows, parameters, torch.Generator().manual_seed(seed), device)
    standardise = _unit_scores(rows.X)
    X = standardise(rows.X)
    first = steps.first(steps.tensor(X))
    parts: list[FittedMap] = [standardise, first]
    X = first(X)
    start, curve = steps.view(steps.tensor(X), _START), []
    for iteration in range(1, n_iterations + 1):
        previous = steps.view(steps.tensor(X), _PREVIOUS)
        views = [start, previous] if iteration > 1 else [replace(start, weight=_PREVIOUS)]
        encoder, dependence = steps.train(previous.X, views)
        encode = encoder.freeze()
        encoded = encode(X)
        project = steps.project(steps.tensor(encoded), views)
        X = project(encoded)
        parts += [encode, project]
        curve.append({"iteration": iteration, "features": X.shape[1], **dependence})
    return Chain(tuple(parts)), tuple(curve)


class _Steps:
    """What all steps share."""

    def __init__(
        self,
        rows: TrainingRows,
        parameters: ObliviatorParameters,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        self._hidden, self._parameters = rows.hidden, parameters
        self._generator, self._device = generator, device
        self._n_units = parameters.n_components or rows.X.shape[1]
        target = rows.target
        self._target = [] if target is None else [replace(target, weight=_TARGET)]

    def tensor(self, X: FloatArray) -> Tensor:
        return torch.from_numpy(X).to(self._device)

    def kernel(self, X: Tensor, width: float = 1.0) -> FourierKernel:
        bandwidth = width * median_distance(X)
        bandwidth = max(bandwidth, self._parameters.min_bandwidth)
        drawn = draw_kernel(X.shape[1], self._parameters.n_fourier, bandwidth, self._generator)
        return FourierKernel(drawn.frequencies.to(X.device), drawn.phases.to(X.device))

    def view(self, X: Tensor, weight: float) -> View:
        return View(X, self.kernel(X), weight)

    def first(self, X: Tensor) -> FittedMap:
        """Kernel principal components without covariance with the attributes."""
        source = self.view(X, 1.0)
        return self._null_projection(source, [source])

    def project(self, X: Tensor, views: Sequence[View]) -> FittedMap:
        """Project the kernel features of an encoder's output."""
        return self._null_projection(self.view(X, 1.0), views)

    def _null_projection(self, source: View, views: Sequence[View]) -> FittedMap:
        return null_projection(
            source,
            self._hidden,
            [*views, *self._target],
            n_components=self._n_units,
            tolerance=self._parameters.tolerance,
        )

    def train(self, X: Tensor, views: Sequence[View]) -> tuple[Encoder, dict[str, float]]:
        """Minimise |C_ws| - sum_v tau_v |C_wv| over encoders w = f(X).

        Returns
        -------
        encoder : Encoder
            Trained.
        dependence : dict of str to float
            Means over the last epoch: ``"hidden"`` |C_ws|, and ``"kept"`` the sum over v.
        """
        parameters = self._parameters
        encoder = Encoder(
            X.shape[1],
            parameters.n_hidden,
            self._n_units,
            scale=1.0,
            normalise=True,
            generator=self._generator,
        ).to(self._device)
        optimiser = torch.optim.AdamW(
            encoder.parameters(), lr=parameters.learning_rate, weight_decay=_WEIGHT_DECAY
        )
        taus = [parameters.start_weight, parameters.previous_weight][: len(views)]
        terms: list[tuple[Tensor, Tensor]] = []
        for _ in range(parameters.n_epochs):
            with torch.no_grad():
                kernel = self.kernel(encoder(X[:: max(1, len(X) // 1000)]), _TRAINING_WIDTH)
            terms = []
            for batch in batches(len(X), parameters.batch_size, self._generator):
                batch = batch.to(self._device)
                features = kernel(encoder(X[batch]))
                hidden = _dependence_on_classes(features, [c.take(batch) for c in self._hidden])
                kept = torch.zeros((), device=self._device)
                for tau, view in zip(taus, views, strict=True):
                    kept = (
                        kept + tau * cross_covariance(features, view.kernel(view.X[batch])).norm()
                    )
                for target in self._target:
                    kept = kept + parameters.target_weight * _dependence_on_classes(
                        features, [target.take(batch)]
                    )
                optimiser.zero_grad()
                loss = hidden - kept
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                terms.append((hidden.detach(), kept.detach()))
        hidden_mean, kept_mean = (float(torch.stack(t).mean()) for t in zip(*terms, strict=True))
        return encoder, {"hidden": hidden_mean, "kept": kept_mean}


def _dependence_on_classes(features: Tensor, groups: Sequence[ClassCodes]) -> Tensor:
    covariances = [class_covariance(features, g.codes, g.n_classes) for g in groups]
    return torch.linalg.matrix_norm(torch.cat(covariances))  # type: ignore[no-any-return]


def _unit_scores(X: FloatArray) -> Projection:
    """Standardise features, then give rows unit length; a constant feature is centred."""
    mean = X.mean(axis=0, dtype=np.float64)
    deviation = X.std(axis=0, dtype=np.float64)
    scale = 1 / np.where(deviation > 0, deviation, 1.0)
    return Projection(np.diag(scale).astype(np.float32), (-mean * scale).astype(np.float32))
