"""Encoder, primary task and attribute heads, and the steps that the methods are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.erasers.adversarial.losses import balanced_cross_entropy
from sensitivenets.erasers.adversarial.parameters import AdversarialParameters, Design, Optimiser
from sensitivenets.erasers.adversarial.sensitive_set import SensitiveRows, SensitiveSet, on_device
from sensitivenets.erasers.base import FitData
from sensitivenets.erasers.neural.networks import Encoder, perceptron, redraw
from sensitivenets.erasers.neural.primary import IntArray, Primary, primary_task

# LnL's released code; the other methods train with Adam.
_MOMENTUM, _WEIGHT_DECAY = 0.9, 5e-4

HeadLoss = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass
class Attribute:
    """An attribute, and the heads that read it.

    Attributes
    ----------
    labels : Labels
        One a row of D-S.
    class_weights : Tensor of shape (c,)
        Inverse to the frequencies of the classes, so that chance is uniform.
    heads : list of Sequential
        From features to logits.
    """

    labels: Labels
    class_weights: Tensor
    heads: list[nn.Sequential]


class AdversarialTrainer:
    """Encoder, primary task and attribute heads, with an optimiser for each side.

    Parameters
    ----------
    data : FitData
        D-P and D-S.
    target : Labels or None
        What the encoder is to keep, if anything beside what a decoder needs.
    parameters : AdversarialParameters
        Sizes and rates.
    design : Design
        What the method decides about its networks.
    device : torch.device
        Where to train.

    Attributes
    ----------
    sensitive : SensitiveSet
        D-S.
    progress : float
        Share of the training that is done, from 0 to 1.
    strength : float
        0 while warming up, then 1: methods multiply their adversarial weight with it.
    n_updates : int
        Primary batches so far, the warm-up left out.
    """

    def __init__(
        self,
        data: FitData,
        target: Labels | None,
        parameters: AdversarialParameters,
        design: Design,
        device: torch.device,
    ) -> None:
        self.progress, self.strength, self.n_updates = 0.0, 0.0, 0
        self._device = device
        self._rng = np.random.default_rng(data.seed)
        self.generator = torch.Generator().manual_seed(data.seed)
        n_features = data.X.shape[1]
        n_units = parameters.n_units or n_features
        self.encoder = Encoder(
            n_features,
            parameters.n_hidden,
            n_units,
            scale=_unit_scale(data.X),
            normalise=parameters.normalise,
            generator=self.generator,
        ).to(device)
        self._feature_scale = n_units**0.5
        self._primary: Primary | None = None
        if target is not None:
            self._primary = primary_task(target, parameters, n_units, self.generator, device)
        self.attributes = [
            self._attribute(labels, n_units, parameters, design)
            for labels in data.attributes.values()
        ]
        n_classes = sum(len(a.labels.classes) for a in self.attributes)
        self._decoder: nn.Sequential | None = None
        if design.reconstruct:
            widths = (n_units + n_classes, parameters.n_hidden, n_features)
            self._decoder = perceptron(widths, self.generator).to(device)
        self._X = on_device(data.X, device)
        self.sensitive = SensitiveSet(data, self._X, parameters.batch_size, self._rng)
        self.encoder_parameters = [*self.encoder.parameters()]
        if self._primary is not None:
            self.encoder_parameters += self._primary.parameters()
        if self._decoder is not None:
            self.encoder_parameters += self._decoder.parameters()
        self.head_parameters = [
            p for a in self.attributes for head in a.heads for p in head.parameters()
        ]
        rate = parameters.learning_rate
        head_rate = design.head_learning_rate or rate
        self.encoder_optimiser = _optimiser(self.encoder_parameters, design.optimiser, rate)
        self.head_optimiser = _optimiser(self.head_parameters, design.optimiser, head_rate)
        self._rates = [(self.encoder_optimiser, rate), (self.head_optimiser, head_rate)]

    def _attribute(
        self, labels: Labels, n_units: int, parameters: AdversarialParameters, design: Design
    ) -> Attribute:
        counts = np.bincount(labels.codes[labels.labelled], minlength=len(labels.classes))
        weights = counts.sum() / (len(counts) * np.maximum(counts, 1))
        widths = (n_units, parameters.n_head_units, len(labels.classes))
        heads = [
            perceptron(widths, self.generator, design.head_activation).to(self._device)
            for _ in range(design.n_heads)
        ]
        return Attribute(labels, torch.from_numpy(weights).float().to(self._device), heads)

    def batches(self) -> list[IntArray | None]:
        """One epoch: batches of D-P, or as many None as D-S has batches if nothing else is kept."""
        if self._primary is not None:
            return list(self._primary.batches(self._rng))
        return [None] * self.sensitive.n_batches

    def primary_loss(self, rows: IntArray | None) -> Tensor:
        """Loss of the primary task on rows of D-P; 0 if there is none."""
        if self._primary is None or rows is None:
            return torch.zeros((), device=self._device)
        index = torch.from_numpy(rows).to(self._device)
        return self._primary.loss(self.encoder(self._X[index]), rows)

    def reconstruction_loss(self, features: Tensor, batch: SensitiveRows) -> Tensor:
        """Mean squared distance of rebuilt to true embeddings, relative to their mean square.

        The decoder is given the attributes beside the features, so that features need not hold
        them; an unlabelled attribute is all zeros.
        """
        if self._decoder is None:
            raise RuntimeError("no decoder: design.reconstruct is False")
        columns = [features * self._feature_scale]
        for k, attribute in enumerate(self.attributes):
            codes = batch.codes[:, k]
            one_hot = nn.functional.one_hot(codes.clamp_min(0), len(attribute.labels.classes))
            columns.append(one_hot * (codes >= 0)[:, None])
        rebuilt = self._decoder(torch.cat(columns, dim=1))
        distance: Tensor = (rebuilt - batch.X * self.encoder.scale).square().sum(dim=1)
        return distance.mean()

    def logits(self, features: Tensor) -> list[list[Tensor]]:
        """Apply the heads of each attribute to features."""
        scaled = features * self._feature_scale
        return [[head(scaled) for head in attribute.heads] for attribute in self.attributes]

    def head_loss(
        self,
        features: Tensor,
        codes: Tensor,
        loss: HeadLoss = balanced_cross_entropy,
        heads: Sequence[int] | None = None,
    ) -> Tensor:
        """Mean over attributes and heads (those given by number) of what the heads minimise."""
        return torch.stack([
            loss(logit, codes[:, k], self.attributes[k].class_weights)
            for k, logits in enumerate(self.logits(features))
            for number, logit in enumerate(logits)
            if heads is None or number in heads
        ]).mean()

    def hiding_loss(
        self, features: Tensor, codes: Tensor, loss: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        """Mean over attributes of what their heads read; the largest of the heads of each."""
        return torch.stack([
            torch.stack([loss(logit, codes[:, k]) for logit in logits]).amax()
            for k, logits in enumerate(self.logits(features))
        ]).mean()

    def train_heads(
        self,
        n_steps: int,
        loss: HeadLoss = balanced_cross_entropy,
        heads: Sequence[int] | None = None,
    ) -> None:
        """Train heads on batches of D-S of their own, with the encoder as it is."""
        for _ in range(n_steps):
            batch = self.sensitive.draw()
            with torch.no_grad():
                features = self.encoder(batch.X)
            self.update(heads=self.head_loss(features, batch.codes, loss, heads))

    def accuracy(self, head: int) -> float:
        """Share of labelled rows of a new batch that a head reads right, least of attributes."""
        batch = self.sensitive.draw()
        shares = []
        with torch.no_grad():
            for k, logits in enumerate(self.logits(self.encoder(batch.X))):
                known = batch.codes[:, k] >= 0
                right = logits[head].argmax(dim=1) == batch.codes[:, k]
                shares.append(right[known].float().mean().nan_to_num().item())
        return min(shares)

    def restart_heads(self) -> None:
        """Draw the weights of all heads anew and forget their optimiser's memory."""
        for attribute in self.attributes:
            for head in attribute.heads:
                redraw(head, self.generator)
        self.head_optimiser.state.clear()

    def update(self, *, encoder: Tensor | None = None, heads: Tensor | None = None) -> None:
        """Take one step of encoder and primary task, of the heads, or of both at once.

        Parameters
        ----------
        encoder, heads : Tensor, scalar, optional
            What each side minimises; nobody else's parameters are touched by it. Both gradients
            are taken before either side is updated.
        """
        if encoder is not None:
            both = heads is not None
            values = gradients(encoder, self.encoder_parameters, keep_graph=both)
            set_gradients(self.encoder_parameters, values)
        if heads is not None:
            set_gradients(self.head_parameters, gradients(heads, self.head_parameters))
            self.head_optimiser.step()
        if encoder is not None:
            self.encoder_optimiser.step()

    def set_rate(self, share: float) -> None:
        """Set the learning rates of both sides to a share of what they started with."""
        for optimiser, rate in self._rates:
            for group in optimiser.param_groups:
                group["lr"] = share * rate


def gradients(
    loss: Tensor, parameters: Sequence[Tensor], *, keep_graph: bool = False
) -> list[Tensor | None]:
    """Gradient of a loss for each parameter; None where it does not depend on one."""
    if not loss.requires_grad:
        return [None] * len(parameters)
    return list(
        torch.autograd.grad(loss, list(parameters), retain_graph=keep_graph, allow_unused=True)
    )


def set_gradients(parameters: Sequence[Tensor], values: Sequence[Tensor | None]) -> None:
    """Give the optimiser its gradients; a parameter with None does not move."""
    for parameter, value in zip(parameters, values, strict=True):
        parameter.grad = value


def _optimiser(parameters: Sequence[Tensor], kind: Optimiser, rate: float) -> torch.optim.Optimizer:
    if kind == "adam":
        return torch.optim.Adam(parameters, lr=rate)
    return torch.optim.SGD(parameters, lr=rate, momentum=_MOMENTUM, weight_decay=_WEIGHT_DECAY)


def _unit_scale(X: FloatArray) -> float:
    """Return what makes the mean square length of the rows one."""
    mean_square = float(np.einsum("ij,ij->", X, X, dtype=np.float64)) / len(X)
    return mean_square**-0.5 if mean_square > 0 else 1.0
