"""What encoders and heads minimise, from logits of shape (n, c) and codes of shape (n,).

A row with code -1 is unlabelled and takes no part; with no labelled row a loss is zero.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

# log p is bounded from here on, as in LnL's released code.
_MIN_PROBABILITY = 1e-8


def balanced_cross_entropy(logits: Tensor, codes: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy in which a row counts as much as `weights` says of its class.

    With weights inverse to the classes' frequencies, a head that reads nothing answers uniformly.
    """
    likelihood = _of_truth(log_softmax(logits, dim=1), codes)
    return _mean(-likelihood, _row_weights(codes, weights))


def balanced_absolute_error(logits: Tensor, codes: Tensor, weights: Tensor) -> Tensor:
    """Mean of 1 - p(true class), in [0, 1]: the L1 loss of LAFTR, by the weights of classes."""
    probability = _of_truth(torch.softmax(logits, dim=1), codes)
    return _mean(1 - probability, _row_weights(codes, weights))


def confusion(logits: Tensor, codes: Tensor) -> Tensor:
    """Cross-entropy to the uniform distribution, -(1/c) sum_c log p_c; at least log c."""
    return _mean(-log_softmax(logits, dim=1).mean(dim=1), (codes >= 0).to(logits.dtype))


def negative_entropy(logits: Tensor, codes: Tensor) -> Tensor:
    """Sum of p log p, from -log c (nothing read) to 0 (certain)."""
    probability = torch.softmax(logits, dim=1)
    terms = probability * probability.clamp_min(_MIN_PROBABILITY).log()
    return _mean(terms.sum(dim=1), (codes >= 0).to(logits.dtype))


def _of_truth(values: Tensor, codes: Tensor) -> Tensor:
    return values.gather(1, codes.clamp_min(0)[:, None])[:, 0]


def _row_weights(codes: Tensor, weights: Tensor) -> Tensor:
    return torch.where(codes >= 0, weights[codes.clamp_min(0)], 0.0)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    total = weights.sum()
    return (values * weights).sum() / torch.where(total > 0, total, 1.0)
