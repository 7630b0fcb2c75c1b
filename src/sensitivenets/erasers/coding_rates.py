"""Coding rates of rows and of their classes, in torch, without anything of size n x n."""

from __future__ import annotations

import torch
from torch import Tensor

from sensitivenets.erasers.training_rows import Classes


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


def mean_class_rate(Z: Tensor, classes: Classes, distortion: float) -> Tensor:
    """R(Z | classes) = sum_c n_c / n R(Z_c), over labelled rows; FaRM's, and MCR^2's."""
    parts = _parts(Z, classes)
    n = max(sum(map(len, parts)), 1)
    rates = [len(part) / n * coding_rate(part, distortion) for part in parts]
    return torch.stack([Z.new_zeros(()), *rates]).sum()


def kernel_rate(Z: Tensor, classes: Classes, distortion: float) -> Tensor:
    """1/2 logdet(I + k / (n distortion) Z Z^T * K), K_ij = 1 if classes are equal, else 0; KRaM's.

    K makes the matrix block-diagonal: its determinant is the product of those of the blocks.
    """
    parts = _parts(Z, classes)
    n = max(sum(map(len, parts)), 1)
    rates = [coding_rate(part, distortion, n) for part in parts]
    return torch.stack([Z.new_zeros(()), *rates]).sum()


def _parts(Z: Tensor, classes: Classes) -> list[Tensor]:
    """Rows of each class that has any."""
    parts = [Z[classes.codes == code] for code in range(classes.n_classes)]
    return [part for part in parts if len(part)]
