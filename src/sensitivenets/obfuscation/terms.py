"""What hides the attribute: confounded classifiers, or independence of the embedding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sensitivenets.erasers.dependence.decomposition import hsic
from sensitivenets.erasers.dependence.measures import FourierKernel, draw_kernel, median_distance
from sensitivenets.erasers.neural.training_rows import ClassCodes
from sensitivenets.obfuscation.checkpoints import TrainedNetwork
from sensitivenets.obfuscation.classifiers import shifted
from sensitivenets.obfuscation.networks import PixelClassifier

_TINY = 1e-12


@dataclass(frozen=True)
class FaceBatch:
    """Faces of one step, before and after.

    Attributes
    ----------
    rows : Tensor of shape (n,), int64
        Which of the training faces they are.
    before, after : Tensor of shape (n, 3, side, side)
        In [0, 1].
    embedding, changed : Tensor of shape (m, d)
        Unit embeddings before and after, of the first m faces.
    codes : Tensor of shape (n,), int64
        Class of each face.
    """

    rows: Tensor
    before: Tensor
    after: Tensor
    embedding: Tensor
    changed: Tensor
    codes: Tensor


class HidingTerm(Protocol):
    """A loss that is small where the attribute is hidden."""

    def trained_networks(self) -> Sequence[TrainedNetwork]:
        """Return what else changes during training: its state belongs in a checkpoint."""
        ...

    def loss(self, batch: FaceBatch, rng: np.random.Generator) -> Tensor:
        """Return a scalar to minimise over the obfuscator."""
        ...

    def answer(self, batch: FaceBatch, rng: np.random.Generator) -> None:
        """Let an adversary adapt to the changed faces, if there is one."""
        ...


class Confusion:
    """Classifiers are to err: the term of semi-adversarial networks.

    Parameters
    ----------
    ensemble : sequence of PixelClassifier
        Trained on faces as they are. Two classes.
    target : {"flip", "chance"}
        ``"flip"``: each face is to be taken for the other class, as Mirjalili et al. have it.
        ``"chance"``: classifiers are to say one half.
    weights : Tensor of shape (2,)
        Of the classes, where classifiers adapt.
    learning_rate : float
        At which the classifiers adapt, one of them a step; 0 leaves them as they are, as published.
    """

    def __init__(
        self,
        ensemble: Sequence[PixelClassifier],
        target: str,
        weights: Tensor,
        learning_rate: float = 0.0,
    ) -> None:
        self._ensemble = [network.eval() for network in ensemble]
        self._flip = target == "flip"
        self._weights = weights
        self._adapts = learning_rate > 0
        self._optimisers = [
            torch.optim.Adam(network.parameters(), lr=max(learning_rate, _TINY))
            for network in ensemble
        ]

    def trained_networks(self) -> Sequence[TrainedNetwork]:
        """Return the ensemble and its optimisers."""
        return list(zip(self._ensemble, self._optimisers, strict=True))

    def loss(self, batch: FaceBatch, rng: np.random.Generator) -> Tensor:
        """Mean cross-entropy to the other class, or to one half each."""
        faces = shifted(batch.after, rng)
        share = 1.0 if self._flip else 0.5
        wanted = functional.one_hot(1 - batch.codes, 2) * share
        wanted = wanted + functional.one_hot(batch.codes, 2) * (1 - share)
        losses = [functional.cross_entropy(network(faces), wanted) for network in self._ensemble]
        return torch.stack(losses).mean()

    def answer(self, batch: FaceBatch, rng: np.random.Generator) -> None:
        """Take one step of one classifier on the changed faces."""
        if not self._adapts:
            return
        turn = int(rng.integers(len(self._ensemble)))
        network, optimiser = self._ensemble[turn], self._optimisers[turn]
        network.train()
        faces = shifted(batch.after.detach(), rng)
        loss = functional.cross_entropy(network(faces), batch.codes, self._weights)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        network.eval()


class Independence(nn.Module):
    """The embedding is to be independent of the attribute: the term of data-domain translation.

    Quadrianto, Sharmanska and Thomas (CVPR 2019) measure HSIC on features of a given network; here
    it is the face network. Relative to the faces as they are: 1 is as dependent, 0 independent.

    HSIC of a small batch is mostly noise. It is taken over all training faces, each with the
    embedding it last had, and those of the batch with the one that they have now.

    Parameters
    ----------
    embeddings : Tensor of shape (n, d)
        Of the training faces as they are; their median distance is the kernel's bandwidth.
    codes : Tensor of shape (n,), int64
        Their classes, 0 and 1.
    residual_weight : float
        Weight of the dependence of the embedding's change on the attribute, which is to be large.
    n_fourier : int
        Random features of the kernel, drawn anew each step.
    """

    def __init__(
        self,
        embeddings: Tensor,
        codes: Tensor,
        residual_weight: float = 0.0,
        n_fourier: int = 500,
    ) -> None:
        super().__init__()
        self._bandwidth = median_distance(embeddings) or 1.0
        self._residual_weight = residual_weight
        self._n_fourier = n_fourier
        self._before = embeddings
        self._groups = [ClassCodes(codes, 2)]
        self.register_buffer("latest", embeddings.clone())

    def trained_networks(self) -> Sequence[TrainedNetwork]:
        """Return itself: the latest embeddings are remembered."""
        return [(self, None)]

    def loss(self, batch: FaceBatch, rng: np.random.Generator) -> Tensor:
        """HSIC of the changed embeddings, less that of their change."""
        latest = self.get_buffer("latest")
        rows = batch.rows[: len(batch.changed)]
        changed = latest.index_copy(0, rows, batch.changed)
        latest[rows] = batch.changed.detach()
        kernel = self._kernel(latest, rng)
        whole = hsic(kernel(self._before), self._groups).clamp(min=_TINY)
        value = hsic(kernel(changed), self._groups) / whole
        if self._residual_weight:
            of_change = hsic(kernel(self._before - changed), self._groups) / whole
            value = value - self._residual_weight * of_change
        # Only the batch can move, a small share of the rows: the gradient is as if all of them did.
        share = len(rows) / len(latest)
        return value.detach() + (value - value.detach()) / share

    def answer(self, batch: FaceBatch, rng: np.random.Generator) -> None:
        """Do nothing: no adversary is trained."""

    def _kernel(self, like: Tensor, rng: np.random.Generator) -> FourierKernel:
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        drawn = draw_kernel(like.shape[1], self._n_fourier, self._bandwidth, generator)
        return FourierKernel(drawn.frequencies.to(like), drawn.phases.to(like))
