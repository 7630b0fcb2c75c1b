"""What the encoder is to keep: batches of D-P, and the loss on their features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from sensitivenets.erasers.adversarial.losses import batch_hard_triplets
from sensitivenets.erasers.adversarial.networks import perceptron
from sensitivenets.erasers.adversarial.settings import Settings
from sensitivenets.errors import InputError
from sensitivenets.labels import Labels

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


class Classes:
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


def make_primary(
    target: Labels,
    settings: Settings,
    n_units: int,
    generator: torch.Generator,
    device: torch.device,
) -> Primary:
    """Build the task that `settings.loss` names.

    Raises
    ------
    InputError
        If the loss cannot use the target.
    """
    if settings.loss == "triplet":
        return IdentityPairs(target, batch_size=settings.batch_size, margin=settings.margin)
    return Classes(
        target,
        batch_size=settings.batch_size,
        n_units=n_units,
        generator=generator,
        device=device,
    )


def _parts(rows: IntArray, size: int) -> list[IntArray]:
    """Cut into parts of nearly equal length, about `size` each."""
    return np.array_split(rows, max(1, round(len(rows) / size)))
