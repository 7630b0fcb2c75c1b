"""Eq. 5 and Eq. 6, on cosines and probabilities of l2-normalised representations."""

from __future__ import annotations

import torch
from torch import Tensor


def triplet_loss(
    cosine_positive: Tensor, cosine_negative: Tensor, *, margin: float, hinge: bool
) -> Tensor:
    """L'0 = |phi(A) - phi(P)|^2 - |phi(A) - phi(N)|^2 + margin (Eq. 5), one value a triplet.

    Parameters
    ----------
    cosine_positive, cosine_negative : Tensor of shape (t,)
        Cosines of anchor with positive and with negative; for unit rows |a - b|^2 = 2 - 2 cos.
    margin : float
        The paper's alpha.
    hinge : bool
        Stop at zero, where the triplet is solved. Eq. 5 prints no hinge; without one phi keeps
        pushing solved triplets apart and over-fits T.

    Returns
    -------
    Tensor of shape (t,)
        Lower is better.
    """
    loss = 2 * (cosine_negative - cosine_positive) + margin
    return torch.relu(loss) if hinge else loss


def sensitive_regulariser(probability: Tensor, *, target: float) -> Tensor:
    """Lambda = log(1 + |target - P_k(D_k | phi(x))|) (Eq. 6), one value a row.

    Parameters
    ----------
    probability : Tensor of shape (n,)
        What the detector gives the fixed class D_k.
    target : float
        0.9 in the paper. The gradient at the target itself is 0.

    Returns
    -------
    Tensor of shape (n,)
        0 at the target, at most log(1 + max(target, 1 - target)).
    """
    return torch.log1p((target - probability).abs())
