"""What the encoder is to keep: batches of D-P, and the loss on their features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from sensitivenets.embeddings import Labels
from sensitivenets.erasers.neural.networks import perceptron
from sensitivenets.erasers.neural.trained import PrimaryParameters
from sensitivenets.errors import InputError

IntArray = npt.NDArray[np.int64]


class Primary(Protocol):
    """A primary task."""

    def batches(self, rng: np.random.Generator) -> Iterator[IntArray]:
        """Row numbers of one epoch, in random order."""
        ...

    def loss(self, features: Tensor, rows: IntArray) -> Tensor:
        """Mean loss of one batch."""
        ...

    def parameters(self) -> list[torch.nn.Parameter]:
        """Parameters to train together with the encoder."""
        ...


class IdentityPairs:
    """Tell identities apart: triplets mined in batches of pairs.

    Parameters
    ----------
    identity : Labels
        One a row of D-P.
    batch_size : int
        Rows a batch; half as many pairs.
    margin : float
        See `batch_hard_triplets`.

    Raises
    ------
    InputError
        If fewer than two identities have two rows.
    """

    def __init__(self, identity: Labels, *, batch_size: int, margin: float) -> None:
        counts = np.bincount(identity.codes[identity.labelled])
        if np.count_nonzero(counts > 1) < 2:
            raise InputError(
                "loss='triplet': expected at least two identities in y with two rows each, found "
                f"{np.count_nonzero(counts > 1)}; use loss='cross_entropy' or give more rows of "
                "an identity"
            )
        self._codes = identity.codes
        self._batch_size, self._margin = batch_size, margin

    def batches(self, rng: np.random.Generator) -> Iterator[IntArray]:
        """Pair up the rows of each identity anew; a row is in one pair at most."""
        rows = rng.permutation(np.flatnonzero(self._codes >= 0))
        rows = rows[np.argsort(self._codes[rows], kind="stable")]
        codes = self._codes[rows]
        first = np.searchsorted(codes, codes)  # where the rows of each row's identity start
        even = (np.arange(len(rows)) - first) % 2 == 0
        left = np.flatnonzero(even[:-1] & (codes[:-1] == codes[1:]))
        left = rng.permutation(left)
        for part in _parts(left, self._batch_size // 2):
            yield np.concatenate([rows[part], rows[part + 1]])

    def loss(self, features: Tensor, rows: IntArray) -> Tensor:
        """See `batch_hard_triplets`."""
        codes = torch.from_numpy(self._codes[rows]).to(features.device)
        return batch_hard_triplets(features, codes, self._margin)

    def parameters(self) -> list[torch.nn.Parameter]:
        """Return none."""
        return []


class ClassBatches:
    """Tell classes, or identities, apart by a softmax layer on the features.

    Parameters
    ----------
    labels : Labels
        One a row of D-P.
    batch_size : int
        Rows a batch.
    n_units : int
        Features of the encoder's output.
    generator : torch.Generator
        Decides the initial weights.
    device : torch.device
        Where to train.
    """

    def __init__(
        self,
        labels: Labels,
        *,
        batch_size: int,
        n_units: int,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        self._codes, self._batch_size = labels.codes, batch_size
        self._layer = perceptron((n_units, len(labels.classes)), generator).to(device)
        # Features of unit rows have a mean square of 1 / n_units.
        self._scale = n_units**0.5

    def batches(self, rng: np.random.Generator) -> Iterator[IntArray]:
        """Give every labelled row once."""
        yield from _parts(rng.permutation(np.flatnonzero(self._codes >= 0)), self._batch_size)

    def loss(self, features: Tensor, rows: IntArray) -> Tensor:
        """Cross-entropy."""
        codes = torch.from_numpy(self._codes[rows]).to(features.device)
        return cross_entropy(self._layer(features * self._scale), codes)

    def parameters(self) -> list[torch.nn.Parameter]:
        """Return those of the softmax layer."""
        return list(self._layer.parameters())


def primary_task(
    target: Labels,
    parameters: PrimaryParameters,
    n_units: int,
    generator: torch.Generator,
    device: torch.device,
) -> Primary:
    """Build the task that `parameters.loss` names.

    Parameters
    ----------
    target : Labels
        One a row of D-P.
    parameters : PrimaryParameters
        Loss, margin and batch size.
    n_units : int
        Features of the encoder's output.
    generator : torch.Generator
        Decides initial weights.
    device : torch.device
        Where to train.

    Returns
    -------
    Primary
        See there.

    Raises
    ------
    InputError
        If the loss cannot use the target.
    """
    size = parameters.batch_size
    if parameters.loss == "triplet":
        return IdentityPairs(target, batch_size=size, margin=parameters.margin)
    return ClassBatches(
        target.require_two_classes(),
        batch_size=size,
        n_units=n_units,
        generator=generator,
        device=device,
    )


def _parts(rows: IntArray, size: int) -> list[IntArray]:
    """Cut into parts of nearly equal length, about `size` each."""
    return np.array_split(rows, max(1, round(len(rows) / size)))


def batch_hard_triplets(features: Tensor, codes: Tensor, margin: float) -> Tensor:
    """Triplet loss against the hardest negative of the batch, as a mean over anchors.

    Parameters
    ----------
    features : Tensor of shape (2 m, k)
        Row i and row m + i are of one identity; each is the anchor of a triplet.
    codes : Tensor of shape (2 m,)
        Identity of each row.
    margin : float
        As in SensitiveNets' Eq. 5, on squared distances of unit rows.

    Returns
    -------
    Tensor, scalar
        Mean of max(0, |a - p|^2 - min_n |a - n|^2 + margin) over anchors; |a - b|^2 = 2 - 2 cos.
    """
    unit = torch.nn.functional.normalize(features, dim=1)
    cosines = unit @ unit.T
    half = len(features) // 2
    positive = torch.cat([torch.diagonal(cosines, half), torch.diagonal(cosines, -half)])
    # Below every cosine by more than the margin: an anchor without a negative has no loss.
    absent = -3 - margin
    same = codes[:, None] == codes[None, :]
    negative = cosines.masked_fill(same, absent).amax(dim=1)
    return torch.relu(2 * (negative - positive) + margin).mean()
