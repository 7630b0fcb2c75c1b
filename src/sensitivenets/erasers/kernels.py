"""Random Fourier features and the Hilbert-Schmidt independence criterion, in torch.

HSIC (Gretton et al., "Measuring Statistical Dependence with Hilbert-Schmidt Norms", ALT 2005) is
the squared norm of the cross-covariance between features of two variables; it is zero if and only
if they are independent, for features of a kernel that is rich enough. Here it is always the biased
estimate, from features, so that nothing of size n x n is made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# Rows whose distances give the bandwidth.
_BANDWIDTH_ROWS = 1000


@dataclass(frozen=True)
class FourierKernel:
    """exp(-|x - y|^2 / (2 bandwidth^2)), as the inner product of random features.

    Attributes
    ----------
    frequencies : Tensor of shape (d, D)
        Gaussian, of standard deviation 1 / bandwidth.
    phases : Tensor of shape (D,)
        Uniform in [0, 2 pi).
    """

    frequencies: Tensor
    phases: Tensor

    @property
    def scale(self) -> float:
        """Factor that gives a row of features the expected length one."""
        return math.sqrt(2 / len(self.phases))

    def __call__(self, X: Tensor) -> Tensor:
        """Return the features of rows, shape (n, D)."""
        return (X @ self.frequencies + self.phases).cos() * self.scale


def draw_kernel(
    n_features_in: int, n_features: int, bandwidth: float, generator: torch.Generator
) -> FourierKernel:
    """Draw random features of a Gaussian kernel, on the CPU.

    Parameters
    ----------
    n_features_in : int
        d, features of a row.
    n_features : int
        D, random features; the error of the kernel falls as 1 / sqrt(D).
    bandwidth : float
        Distance at which the kernel has fallen to exp(-1/2).
    generator : torch.Generator
        Of the CPU.

    Returns
    -------
    FourierKernel
        See there.
    """
    import torch

    frequencies = torch.randn(n_features_in, n_features, generator=generator) / bandwidth
    return FourierKernel(frequencies, 2 * math.pi * torch.rand(n_features, generator=generator))


def median_distance(X: Tensor, *, minimum: float = 0.0) -> float:
    """Median distance between rows, the usual bandwidth; of 1 000 evenly spaced rows at most.

    Parameters
    ----------
    X : Tensor of shape (n, d)
        At least two rows.
    minimum : float, default=0
        Returned if the median is smaller.

    Returns
    -------
    float
        Above zero unless the rows are equal and `minimum` is zero.
    """
    import torch

    rows = X[:: -(-len(X) // _BANDWIDTH_ROWS)]
    return max(float(torch.pdist(rows.detach()).median()), minimum)


def cross_covariance(features: Tensor, others: Tensor) -> Tensor:
    """Covariance of two sets of features of the same rows.

    Parameters
    ----------
    features, others : Tensor of shape (n, D) and (n, E)
        Not necessarily centred.

    Returns
    -------
    Tensor of shape (E, D)
        Its squared Frobenius norm is HSIC.
    """
    return (others - others.mean(0)).T @ features / len(features)


def class_covariance(features: Tensor, codes: Tensor, n_classes: int) -> Tensor:
    """Covariance of features with one-hot labels whose columns are scaled by 1 / sqrt(p_c).

    A row is sqrt(p_c) (mean of class c - mean of the labelled rows): zero for all classes if and
    only if no linear reader of the features finds the class. The squared Frobenius norm is HSIC
    with a label kernel in which a class weighs as much as its share of the rows.

    Parameters
    ----------
    features : Tensor of shape (n, D)
        Not necessarily centred.
    codes : Tensor of shape (n,), int64
        Class of each row, or -1 where it is unlabelled.
    n_classes : int
        k, some of which may have no rows here.

    Returns
    -------
    Tensor of shape (k, D)
        A class without rows is zero.
    """
    sums, counts = class_sums(features, codes, n_classes)
    return covariance_of_sums(sums, counts)


def class_sums(features: Tensor, codes: Tensor, n_classes: int) -> tuple[Tensor, Tensor]:
    """Sum of the features of each class, shape (k, D), and its rows, shape (k,)."""
    labelled = codes >= 0
    codes = codes[labelled]
    sums = features.new_zeros(n_classes, features.shape[1])
    sums = sums.index_add(0, codes, features[labelled])
    return sums, codes.bincount(minlength=n_classes).to(features.dtype)


def covariance_of_sums(sums: Tensor, counts: Tensor) -> Tensor:
    """`class_covariance` from the sums and rows of each class."""
    n = counts.sum().clamp(min=1)
    spread = sums - counts[:, None] * (sums.sum(0) / n)
    return spread / (n * counts.clamp(min=1)).sqrt()[:, None]
