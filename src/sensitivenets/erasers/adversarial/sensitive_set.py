"""D-S: the rows whose attributes are known, in batches of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sensitivenets.embeddings import FloatArray
from sensitivenets.erasers.base import FitData
from sensitivenets.erasers.neural.primary import IntArray


@dataclass(frozen=True)
class SensitiveRows:
    """A batch of D-S.

    Attributes
    ----------
    X : Tensor of shape (n, d)
        Embeddings.
    codes : Tensor of shape (n, a), int64
        Class of each attribute; -1 is unlabelled.
    """

    X: Tensor
    codes: Tensor


def on_device(X: FloatArray, device: torch.device) -> Tensor:
    """Bring embeddings to where training takes place; rows that may not be written are copied."""
    return torch.from_numpy(np.require(X, requirements=["C", "W"])).to(device)


class SensitiveSet:
    """Draws batches of D-S.

    Parameters
    ----------
    data : FitData
        With at least one attribute.
    X : Tensor of shape (n, d)
        D-P where training takes place; used again if D-S is the same set.
    batch_size : int
        Rows a batch, if there are as many.
    rng : numpy.random.Generator
        Decides the order.

    Attributes
    ----------
    labelled : ndarray of int64
        Row numbers with at least one label.
    """

    def __init__(self, data: FitData, X: Tensor, batch_size: int, rng: np.random.Generator) -> None:
        codes = np.stack([labels.codes for labels in data.attributes.values()], axis=1)
        self.labelled: IntArray = np.flatnonzero((codes >= 0).any(axis=1))
        same = data.X_sensitive is data.X
        self._X = X if same else on_device(data.X_sensitive, X.device)
        self._codes = torch.from_numpy(codes).to(X.device)
        self._size = min(batch_size, len(self.labelled))
        self._rng = rng
        self._order: IntArray = np.empty(0, dtype=np.int64)

    @property
    def n_batches(self) -> int:
        """Batches that it takes to see every labelled row about once."""
        return max(1, len(self.labelled) // self._size)

    def draw(self) -> SensitiveRows:
        """Draw the next batch; every labelled row comes once before any comes again."""
        if len(self._order) < self._size:
            self._order = np.concatenate([self._order, self._rng.permutation(self.labelled)])
        rows, self._order = np.split(self._order, [self._size])
        return self.take(rows)

    def take(self, rows: IntArray) -> SensitiveRows:
        """Return rows by number."""
        index = torch.from_numpy(rows).to(self._X.device)
        return SensitiveRows(self._X[index], self._codes[index])
