"""The rows and labels that kernel and rate methods train on, as tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensitivenets.embeddings import Labels
from sensitivenets.embeddings.labels import UNLABELLED, joint
from sensitivenets.erasers.base import FitData

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class ClassCodes:
    """Labels of the rows.

    Attributes
    ----------
    codes : Tensor of shape (n,), int64
        -1 where unlabelled.
    n_classes : int
        ClassCodes, some of which may have no rows.
    weight : float
        Of their term, if they are to be kept.
    """

    codes: Tensor
    n_classes: int
    weight: float = 1.0

    def take(self, rows: Tensor) -> ClassCodes:
        """Return the labels of some of the rows."""
        return ClassCodes(self.codes[rows], self.n_classes, self.weight)


@dataclass(frozen=True)
class TrainingRows:
    """D-P, and D-S below it if that is another set.

    Attributes
    ----------
    X : ndarray of shape (n, d), float32
        The embeddings.
    hidden : tuple of ClassCodes
        The attributes and, if they are several, their crossing: hiding each alone may leave
        combinations readable, and the crossing alone would leave out rows that miss a label.
    target : ClassCodes or None
        What is to be kept; unlabelled for the rows of D-S.
    """

    X: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    hidden: tuple[ClassCodes, ...]
    target: ClassCodes | None


def training_rows(data: FitData, device: torch.device) -> TrainingRows:
    """Stack D-P and D-S, with the labels of each.

    Parameters
    ----------
    data : FitData
        With at least one attribute.
    device : torch.device
        Where the labels are put; the embeddings stay.

    Returns
    -------
    TrainingRows
        See there. D-P is not copied if it is D-S as well.
    """
    import torch

    same = data.X_sensitive is data.X
    X = data.X if same else np.concatenate([data.X, data.X_sensitive])
    groups = dict(data.attributes)
    if len(groups) > 1:
        groups["crossed"] = joint(groups)

    def classes(labels: Labels, before: int, after: int) -> ClassCodes:
        codes = np.pad(labels.codes, (before, after), constant_values=UNLABELLED)
        return ClassCodes(torch.from_numpy(codes).to(device), len(labels.classes))

    n_above, n_below = (0, 0) if same else (len(data.X), len(data.X_sensitive))
    return TrainingRows(
        np.require(X, np.float32, ["C", "W"]),
        tuple(classes(labels, n_above, 0) for labels in groups.values()),
        None if data.target is None else classes(data.target, 0, n_below),
    )


def batches(n_rows: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Give the numbers of all rows once, in random order, in parts of `size` rows or more."""
    import torch

    order = torch.randperm(n_rows, generator=generator)
    yield from order.tensor_split(max(1, n_rows // size))
