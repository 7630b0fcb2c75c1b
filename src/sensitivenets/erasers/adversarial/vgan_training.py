"""The training of `VGAN`, in torch."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sensitivenets.embeddings import Labels
from sensitivenets.erasers.adversarial.losses import confusion
from sensitivenets.erasers.adversarial.parameters import VariationalParameters
from sensitivenets.erasers.adversarial.sensitive_set import SensitiveRows, SensitiveSet, on_device
from sensitivenets.erasers.base import FitData
from sensitivenets.erasers.neural.networks import Encoder, perceptron
from sensitivenets.erasers.neural.primary import primary_task
from sensitivenets.maps.mlp import MLP
from sensitivenets.progress import progress_bar

_LOG_VARIANCE = 6.0  # z is drawn with variances from exp(-6) to exp(6)


class VariationalNetworks:
    """Encoder, decoder, and the heads that recognise the attributes.

    Parameters
    ----------
    data : FitData
        D-P and D-S.
    parameters : VariationalParameters
        Sizes and weights.
    generator : torch.Generator
        Decides initial weights and draws.
    device : torch.device
        Where to train.

    Attributes
    ----------
    encoder : Encoder
        To means and log variances, side by side.
    decoder : Sequential
        From z and the embeddings of the attributes' classes to x.
    heads : list of Sequential
        One for each attribute.
    """

    def __init__(
        self,
        data: FitData,
        parameters: VariationalParameters,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        n_features = data.X.shape[1]
        self.n_units = parameters.n_units or n_features
        self._generator, self._device = generator, device
        self.scale = float(n_features / np.mean(np.sum(np.square(data.X), axis=1))) ** 0.5
        self.encoder = Encoder(
            n_features,
            parameters.n_hidden,
            2 * self.n_units,
            scale=self.scale,
            normalise=False,
            generator=generator,
        ).to(device)
        attributes = list(data.attributes.values())
        self.decoder = perceptron(
            (self.n_units + sum(map(_code_width, attributes)), parameters.n_hidden, n_features),
            generator,
        ).to(device)
        self.codes = [_class_codes(one, generator).to(device) for one in attributes]
        self.heads = [
            perceptron((self.n_units, parameters.n_head_units, len(one.classes)), generator).to(
                device
            )
            for one in attributes
        ]

    def draw(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Draw z of each row; also give its divergence from a standard normal, mean of features."""
        mean, log_variance = self.encoder(X).chunk(2, dim=1)
        log_variance = log_variance.clamp(-_LOG_VARIANCE, _LOG_VARIANCE)
        noise = torch.randn(mean.shape, generator=self._generator).to(self._device)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
        return mean + (0.5 * log_variance).exp() * noise, divergence.mean()

    def reconstruction(self, z: Tensor, rows: SensitiveRows) -> Tensor:
        """Squared distance of rebuilt to true embeddings, relative to their mean square."""
        told = [code[rows.codes[:, k].clamp_min(0)] for k, code in enumerate(self.codes)]
        built = self.decoder(torch.cat([z, *told], dim=1))
        error: Tensor = (built - self.scale * rows.X).square().mean()
        return error

    def confusion(self, z: Tensor, rows: SensitiveRows) -> Tensor:
        """Mean confusion of the heads, 1 for heads that know nothing."""
        values = [
            confusion(logits, rows.codes[:, k]) / math.log(logits.shape[1])
            for k, logits in enumerate(head(z) for head in self.heads)
        ]
        return torch.stack(values).mean()

    def recognition(self, z: Tensor, rows: SensitiveRows) -> Tensor:
        """Mean cross-entropy of the heads."""
        losses = []
        for k, head in enumerate(self.heads):
            known = rows.codes[:, k] >= 0
            # A batch may lack all labels of one of several attributes.
            if known.any():
                losses.append(nn.functional.cross_entropy(head(z[known]), rows.codes[known, k]))
        return torch.stack(losses).mean()

    def freeze(self) -> MLP:
        """Return the means alone, in numpy."""
        whole = self.encoder.freeze()
        last, bias = whole.weights[-1][:, : self.n_units], whole.biases[-1][: self.n_units]
        return MLP(
            (*whole.weights[:-1], np.ascontiguousarray(last)), (*whole.biases[:-1], bias.copy())
        )


def _code_width(labels: Labels) -> int:
    return min(len(labels.classes), 32)


def _class_codes(labels: Labels, generator: torch.Generator) -> Tensor:
    """Draw fixed codes of the classes: a decoder needs no more to know who it is told."""
    return torch.randn(len(labels.classes), _code_width(labels), generator=generator)


def train_vgan(
    data: FitData, parameters: VariationalParameters, device: torch.device
) -> tuple[MLP, tuple[dict[str, Any], ...]]:
    """Train the encoder.

    Parameters
    ----------
    data : FitData
        D-P with its target, and D-S.
    parameters : VariationalParameters
        How to train.
    device : torch.device
        Where.

    Returns
    -------
    map : MLP
        From x to the mean of z.
    curve : tuple of dict
        A record an epoch.
    """
    generator = torch.Generator().manual_seed(data.seed)
    rng = np.random.default_rng(data.seed)
    networks = VariationalNetworks(data, parameters, generator, device)
    target = data.require_target("VGAN")
    task = primary_task(target, parameters, networks.n_units, generator, device)
    X = on_device(data.X, device)
    sensitive = SensitiveSet(data, X, parameters.batch_size, rng)
    ours = [*networks.encoder.parameters(), *networks.decoder.parameters(), *task.parameters()]
    theirs = [weight for head in networks.heads for weight in head.parameters()]
    encoder_steps = torch.optim.Adam(ours, lr=parameters.learning_rate)
    head_steps = torch.optim.Adam(theirs, lr=parameters.learning_rate)
    curve = []
    total = parameters.warm_up + parameters.n_epochs
    with progress_bar("training") if parameters.verbose else nullcontext() as show:
        for epoch in range(1, total + 1):
            weight = parameters.adversarial_weight * (epoch > parameters.warm_up)
            updates = []
            for rows in task.batches(rng):
                for _ in range(parameters.n_head_steps):
                    _train_heads(networks, sensitive.draw(), head_steps)
                own, _ = networks.draw(X[torch.from_numpy(rows).to(device)])
                terms = {"task": task.loss(own, rows), **_hiding_terms(networks, sensitive.draw())}
                loss = (
                    terms["task"]
                    + parameters.kl_weight * terms["divergence"]
                    + parameters.reconstruction_weight * terms["reconstruction"]
                    + weight * terms["confusion"]
                )
                encoder_steps.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                encoder_steps.step()
                updates.append([value.item() for value in terms.values()])
            means = dict(zip(terms, np.mean(updates, axis=0).tolist(), strict=True))
            curve.append({"epoch": epoch, **means})
            if show is not None:
                show(epoch, total, f"task {means['task']:.2f} confusion {means['confusion']:.2f}")
    return networks.freeze(), tuple(curve)


def _hiding_terms(networks: VariationalNetworks, rows: SensitiveRows) -> dict[str, Tensor]:
    """Return what the encoder minimises beside the task, on rows whose attributes are known."""
    z, divergence = networks.draw(rows.X)
    return {
        "divergence": divergence,
        "reconstruction": networks.reconstruction(z, rows),
        "confusion": networks.confusion(z, rows),
    }


def _train_heads(
    networks: VariationalNetworks, rows: SensitiveRows, steps: torch.optim.Optimizer
) -> None:
    with torch.no_grad():
        z, _ = networks.draw(rows.X)
    steps.zero_grad()
    networks.recognition(z, rows).backward()  # type: ignore[no-untyped-call]
    steps.step()
