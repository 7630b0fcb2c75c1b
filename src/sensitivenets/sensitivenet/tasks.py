"""Primary tasks: what phi must keep, as batches of rows and a loss L'0 on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from sensitivenets.embeddings import FloatArray
from sensitivenets.sensitivenet.losses import triplet_loss
from sensitivenets.sensitivenet.triplets import IntArray, Triplets, mine_triplets


@dataclass(frozen=True)
class PhiBatch:
    """Rows to put through phi once each, however often the batch uses them.

    Attributes
    ----------
    rows : ndarray of shape (u,), int64
        Row numbers of D-P.
    weights : Tensor of shape (u,)
        Weight of each row's regulariser Lambda in the mean over the batch.
    left, right : Tensor of shape (m,), int64
        Positions in `rows` whose cosines the loss needs.
    """

    rows: IntArray
    weights: Tensor
    left: Tensor
    right: Tensor


class PrimaryTask(Protocol):
    """A primary task."""

    def batches(self, batch_size: int, rng: np.random.Generator) -> Iterator[PhiBatch]:
        """One epoch in random order."""
        ...

    def head(self) -> Tensor | None:
        """Return the weights of a classification layer on phi, shape (k, c), if there is one."""
        ...

    def parameters(self) -> list[torch.nn.Parameter]:
        """Parameters to train together with phi."""
        ...

    def loss(self, batch: PhiBatch, cosines: Tensor, products: Tensor) -> Tensor:
        """Mean L'0 of a batch, from cosines of its pairs and products with the head."""
        ...


class TripletTask:
    """Tell identities apart: Eq. 5 on a list of triplets.

    Parameters
    ----------
    triplets : Triplets
        The list T.
    margin, hinge
        See `triplet_loss`.
    """

    def __init__(self, triplets: Triplets, *, margin: float, hinge: bool) -> None:
        self._triplets = triplets
        self._margin, self._hinge = margin, hinge

    def batches(self, batch_size: int, rng: np.random.Generator) -> Iterator[PhiBatch]:
        """One epoch in random order."""
        order = rng.permutation(len(self._triplets))
        for start in range(0, len(order), batch_size):
            triplets = self._triplets.rows[order[start : start + batch_size]]
            rows, position, count = np.unique(triplets, return_inverse=True, return_counts=True)
            anchor, positive, negative = torch.from_numpy(position.reshape(-1, 3).T)
            weights = torch.from_numpy(count.astype(np.float32) / len(triplets))
            yield PhiBatch(
                rows, weights, torch.cat([anchor, anchor]), torch.cat([positive, negative])
            )

    def head(self) -> Tensor | None:
        """Return None: triplets need no classification layer."""
        return None

    def parameters(self) -> list[torch.nn.Parameter]:
        """Return no parameters of its own."""
        return []

    def loss(self, batch: PhiBatch, cosines: Tensor, products: Tensor) -> Tensor:
        """Mean of Eq. 5 over the triplets of the batch."""
        del batch, products
        positive, negative = cosines.chunk(2)
        return triplet_loss(positive, negative, margin=self._margin, hinge=self._hinge).mean()


class TripletMiner:
    """Makes the `TripletTask` of each layer.

    Parameters
    ----------
    subjects : ndarray of shape (n,), int64
        Identity of each row of D-P.
    margin, hinge
        See `triplet_loss`; the margin is that of Eq. 3, too.
    n_triplets, memory_limit
        See `mine_triplets`.
    remine : bool
        Mine again for each layer, on the output of the layers before it.
    rng : numpy.random.Generator
        Decides which triplets are drawn.
    """

    def __init__(
        self,
        subjects: IntArray,
        *,
        margin: float,
        hinge: bool,
        n_triplets: int,
        remine: bool,
        memory_limit: int,
        rng: np.random.Generator,
    ) -> None:
        self._subjects = subjects
        self._margin, self._hinge = margin, hinge
        self._n_triplets, self._memory_limit = n_triplets, memory_limit
        self._remine = remine
        self._rng = rng
        self.mined: list[Triplets] = []

    def __call__(self, output: FloatArray) -> TripletTask:
        """Mine triplets on unit rows, or return to those of the first layer."""
        if self._remine or not self.mined:
            triplets = mine_triplets(
                output,
                self._subjects,
                margin=self._margin,
                n_triplets=self._n_triplets,
                rng=self._rng,
                memory_limit=self._memory_limit,
            )
            self.mined.append(triplets)
        return TripletTask(self.mined[-1], margin=self._margin, hinge=self._hinge)


class ClassificationTask:
    """Tell classes apart: (binary) cross-entropy of a softmax layer on phi (section 4.4).

    Parameters
    ----------
    codes : ndarray of shape (n,), int64
        Class of each row; -1 rows take no part.
    n_outputs : int
        1 for binary cross-entropy, else the number of classes.
    n_units : int
        Features of phi.
    device : torch.device
        Where phi is trained.
    """

    def __init__(
        self,
        codes: IntArray,
        n_outputs: int,
        n_units: int,
        device: torch.device,
    ) -> None:
        self._rows = np.flatnonzero(codes >= 0)
        self._codes = torch.from_numpy(codes)
        # Zero is a fair start for a convex layer and takes no random numbers.
        self._weight = torch.nn.Parameter(torch.zeros(n_units, n_outputs, device=device))
        self._bias = torch.nn.Parameter(torch.zeros(n_outputs, device=device))

    def batches(self, batch_size: int, rng: np.random.Generator) -> Iterator[PhiBatch]:
        """One epoch in random order."""
        order = rng.permutation(self._rows)
        none = torch.empty(0, dtype=torch.int64)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            yield PhiBatch(rows, torch.full((len(rows),), 1 / len(rows)), none, none)

    def head(self) -> Tensor | None:
        """Return the weights of the classification layer."""
        return self._weight

    def parameters(self) -> list[torch.nn.Parameter]:
        """Return weights and bias of the classification layer."""
        return [self._weight, self._bias]

    def loss(self, batch: PhiBatch, cosines: Tensor, products: Tensor) -> Tensor:
        """Mean cross-entropy over the rows of the batch."""
        del cosines
        logits = products + self._bias
        truth = self._codes[torch.from_numpy(batch.rows)].to(logits.device)
        if logits.shape[1] == 1:
            return binary_cross_entropy_with_logits(logits[:, 0], truth.to(logits.dtype))
        return cross_entropy(logits, truth)
