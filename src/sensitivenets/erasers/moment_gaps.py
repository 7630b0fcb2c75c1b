"""How far the moments of classes lie apart, in torch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sensitivenets.erasers.training_rows import Classes


def moment_gaps(Z: Tensor, groups: Sequence[Classes], n_moments: int) -> Tensor:
    """Differences of class moments, for every pair of classes of every attribute.

    Not standardised: a gap of standardised features closes as well when all of them share one wide
    direction, which hides nothing. Give features of a fixed scale. The first moment of a class
    is its mean; the m-th, for m > 1, the mean of the m-th power of the distance to that mean.

    Parameters
    ----------
    Z : Tensor of shape (n, k)
        Features of the rows.
    groups : sequence of Classes
        Attributes; a class with fewer than two rows here takes no part.
    n_moments : int
        M, from the first on.

    Returns
    -------
    Tensor of shape (pairs, M, k)
        Zero pairs if no attribute has two classes with two rows.
    """
    gaps = [Z.new_zeros(0, n_moments, Z.shape[1])]
    for group in groups:
        counts = group.codes[group.codes >= 0].bincount(minlength=group.n_classes)
        present = (counts >= 2).nonzero().squeeze(1).tolist()
        labelled = Z[group.codes >= 0]
        if len(present) < 2:
            continue
        scores = Z - labelled.mean(0)
        moments = torch.stack([_moments(scores[group.codes == c], n_moments) for c in present])
        left, right = torch.triu_indices(len(present), len(present), 1, device=Z.device)
        gaps.append(moments[left] - moments[right])
    return torch.cat(gaps)


def _moments(rows: Tensor, n_moments: int) -> Tensor:
    mean = rows.mean(0)
    higher = [((rows - mean) ** m).mean(0) for m in range(2, n_moments + 1)]
    return torch.stack([mean, *higher])
