"""Kernel features projected where they have no covariance with labels, in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import row_blocks
from sensitivenets.erasers.dependence.measures import FourierKernel, class_sums, covariance_of_sums
from sensitivenets.erasers.neural.training_rows import ClassCodes
from sensitivenets.maps.fourier import FourierProjection

if TYPE_CHECKING:
    from torch import Tensor

# Rows whose features are held at once.
# Directions of the covariance with the labels that are taken for rounding, relative to the largest.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class View:
    """Another description of the same rows, with a kernel.

    Attributes
    ----------
    X : Tensor of shape (n, d)
        The rows.
    kernel : FourierKernel
        Features of them.
    weight : float
        Of its term.
    """

    X: Tensor
    kernel: FourierKernel
    weight: float = 1.0


def null_projection(
    source: View,
    hidden: Sequence[ClassCodes],
    kept: Sequence[View | ClassCodes],
    *,
    n_components: int,
    tolerance: float,
) -> FourierProjection:
    """Project features of the rows on directions that say nothing linear about labels.

    Solves the eigenproblem of sum_v weight_v C_v^T C_v / |C_v^T C_v|_2, where C_v is the
    covariance of the features with those of a view (or class) v, among the directions u
    with C_s u = 0 for the labels s.

    Parameters
    ----------
    source : View
        The rows, and the kernel whose features are projected; its weight is not used.
    hidden : sequence of ClassCodes
        Labels whose covariance with every feature of the result is zero on these rows.
    kept : sequence of View or ClassCodes
        What the result shall covary with. `source` itself gives kernel principal components
        with a squared spectrum.
    n_components : int
        Directions, at most.
    tolerance : float
        Directions of a smaller eigenvalue, relative to the largest, are left out.

    Returns
    -------
    FourierProjection
        Centred before the normalisation; one direction at least.
    """
    import torch

    mean, hidden_covariances, covariances = _covariances(source, hidden, kept)
    null = torch.linalg.svd(torch.cat(hidden_covariances), full_matrices=False)
    directions = null.Vh[_ROUNDING * null.S[0] < null.S]
    objective = torch.zeros(len(mean), len(mean), dtype=torch.float64, device=mean.device)
    for view, covariance in zip(kept, covariances, strict=True):
        covariance = covariance - (covariance @ directions.T) @ directions
        square = covariance.T @ covariance
        largest = torch.linalg.eigvalsh(square)[-1]
        if largest > 0:
            objective += view.weight / largest * square
    values, vectors = torch.linalg.eigh(objective)
    n_kept = int((values > tolerance * values[-1]).sum().clamp(1, n_components))
    basis = vectors[:, -n_kept:].flip(1)
    basis -= directions.T @ (directions @ basis)
    return FourierProjection(
        frequencies=_array(source.kernel.frequencies),
        phases=_array(source.kernel.phases),
        weight=_array(basis * source.kernel.scale),
        bias=_array(-mean @ basis),
    )


def _covariances(
    source: View, hidden: Sequence[ClassCodes], kept: Sequence[View | ClassCodes]
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Mean feature, and covariance with each of `hidden` and `kept`, summed in float64."""
    import torch

    sums: list[tuple[Tensor, Tensor]] = []
    others = [*hidden, *kept]
    n, total = len(source.X), torch.zeros((), dtype=torch.float64)
    for rows in row_blocks(n):
        features = source.kernel(source.X[rows])
        parts = [_block_sums(features, other, rows) for other in others]
        sums = (
            [
                (product + more_product, count + more_count)
                for (product, count), (more_product, more_count) in zip(sums, parts, strict=True)
            ]
            if sums
            else parts
        )
        total = total.to(features.device) + features.sum(0, dtype=torch.float64)
    mean = total / n
    covariances = [
        covariance_of_sums(product, count)
        if isinstance(other, ClassCodes)
        else product / n - torch.outer(count / n, mean)
        for other, (product, count) in zip(others, sums, strict=True)
    ]
    return mean, covariances[: len(hidden)], covariances[len(hidden) :]


def _block_sums(features: Tensor, other: View | ClassCodes, rows: slice) -> tuple[Tensor, Tensor]:
    if isinstance(other, ClassCodes):
        return class_sums(features.double(), other.codes[rows], other.n_classes)
    others = other.kernel(other.X[rows])
    return (others.T @ features).double(), others.sum(0).double()


def _array(tensor: Tensor) -> FloatArray:
    return tensor.cpu().numpy().astype(np.float32)
