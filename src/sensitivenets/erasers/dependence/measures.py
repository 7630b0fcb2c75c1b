"""Random Fourier features and the Hilbert-Schmidt independence criterion, in torch.

HSIC (Gretton et al., "Measuring Statistical Dependence with Hilbert-Schmidt Norms", ALT 2005) is
the squared norm of the cross-covariance between features of two variables; it is zero if and only
if they are independent, for features of a kernel that is rich enough. Here it is always the biased
estimate, from features, so that nothing of size n x n is made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sensitivenets.erasers.neural.training_rows import ClassCodes

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


def moment_gaps(Z: Tensor, groups: Sequence[ClassCodes], n_moments: int) -> Tensor:
    """Differences of class moments, for every pair of classes of every attribute.

    Not standardised: a gap of standardised features closes as well when all of them share one wide
    direction, which hides nothing. Give features of a fixed scale. The first moment of a class
    is its mean; the m-th, for m > 1, the mean of the m-th power of the distance to that mean.

    Parameters
    ----------
    Z : Tensor of shape (n, k)
        Features of the rows.
    groups : sequence of ClassCodes
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


def coding_rate(Z: Tensor, distortion: float, n_rows: int | None = None) -> Tensor:
    """R(Z) = 1/2 logdet(I + k / (n distortion) Z^T Z): how much room the rows take.

    Parameters
    ----------
    Z : Tensor of shape (m, k)
        Unit rows.
    distortion : float
        Squared error that rows may be coded with, epsilon^2; above zero.
    n_rows : int, optional
        n; m unless given.

    Returns
    -------
    Tensor, scalar
        In nats for a row of all; zero for no rows.
    """
    n, k = n_rows or max(len(Z), 1), Z.shape[1]
    # The smaller of Z^T Z and Z Z^T has the same determinant.
    product = Z.T @ Z if k <= len(Z) else Z @ Z.T
    eye = torch.eye(len(product), dtype=Z.dtype, device=Z.device)
    return 0.5 * torch.logdet(eye + k / (n * distortion) * product)


def mean_class_rate(Z: Tensor, classes: ClassCodes, distortion: float) -> Tensor:
    """R(Z | classes) = sum_c n_c / n R(Z_c), over labelled rows; FaRM's, and MCR^2's."""
    parts = _parts(Z, classes)
    n = max(sum(map(len, parts)), 1)
    rates = [len(part) / n * coding_rate(part, distortion) for part in parts]
    return torch.stack([Z.new_zeros(()), *rates]).sum()


def kernel_rate(Z: Tensor, classes: ClassCodes, distortion: float) -> Tensor:
    """1/2 logdet(I + k / (n distortion) Z Z^T * K), K_ij = 1 if classes are equal, else 0; KRaM's.

    K makes the matrix block-diagonal: its determinant is the product of those of the blocks.
    """
    parts = _parts(Z, classes)
    n = max(sum(map(len, parts)), 1)
    rates = [coding_rate(part, distortion, n) for part in parts]
    return torch.stack([Z.new_zeros(()), *rates]).sum()


def _parts(Z: Tensor, classes: ClassCodes) -> list[Tensor]:
    """Rows of each class that has any."""
    parts = [Z[classes.codes == code] for code in range(classes.n_classes)]
    return [part for part in parts if len(part)]
