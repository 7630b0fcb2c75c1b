"""Inner products of l2-normalised outputs, with the gradient written out.

phi is linear up to its normalisation, so every loss of the paper depends on it only through
the cosines of pairs of rows and the products of rows with the detectors' weights. With
Z = X and the metric G = W W^T, cos(phi(x), phi(y)) = x^T G y / (|x|_G |y|_G): where X has fewer
features than phi, all work can be done in the smaller space and phi(X) is never formed.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def unit_products(
    Z: Tensor, left: Tensor, right: Tensor, directions: Tensor, metric: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Cosines of pairs of rows, and products of the normalised rows with directions.

    Parameters
    ----------
    Z : Tensor of shape (n, r)
        Rows before the l2-normalisation.
    left, right : Tensor of shape (m,), int64
        Row numbers of the pairs.
    directions : Tensor of shape (r, c)
        Columns to multiply with, such as a detector's weights. With a `metric` these are
        W @ weights: already in the space of `Z`.
    metric : Tensor of shape (r, r), optional
        Symmetric positive definite; the inner product is x^T metric y. The identity if None.
        With a metric the gradient flows to the metric and not to `Z`.

    Returns
    -------
    cosines : Tensor of shape (m,)
        In [-1, 1].
    products : Tensor of shape (n, c)
        normalise(Z) @ directions.
    """
    cosines, products = _UnitProducts.apply(  # type: ignore[no-untyped-call]
        Z, left, right, directions, metric
    )
    return cosines, products


class _UnitProducts(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        Z: Tensor,
        left: Tensor,
        right: Tensor,
        directions: Tensor,
        metric: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        image = Z if metric is None else Z @ metric
        scale = torch.einsum("ij,ij->i", Z, image).rsqrt()
        cosines = torch.einsum(
            "ij,ij->i", Z.index_select(0, left), image.index_select(0, right)
        ) * (scale[left] * scale[right])
        products = (Z @ directions) * scale[:, None]
        ctx.save_for_backward(Z, left, right, directions, scale, cosines, products)
        ctx.has_metric = metric is not None
        return cosines, products

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        Z, left, right, directions, scale, cosines, products = ctx.saved_tensors
        for_cosines, for_products = gradients
        scaled = for_products * scale[:, None]
        # Symmetric S with dL/dZ = S Z (or dL/dG = Z^T S Z / 2): the pairs off its diagonal, and
        # what the normalisation takes back on it. Pairs within the margin have no gradient.
        active = for_cosines.nonzero().squeeze(1)
        left, right = left[active], right[active]
        pull = for_cosines[active]
        diagonal = -(for_products * products).sum(1)
        diagonal.index_add_(0, left, -pull * cosines[active])
        diagonal.index_add_(0, right, -pull * cosines[active])
        pull = pull * scale[left] * scale[right]
        every = torch.arange(len(Z), device=Z.device)
        S = torch.sparse_coo_tensor(
            torch.stack([torch.cat([left, right, every]), torch.cat([right, left, every])]),
            torch.cat([pull, pull, diagonal * scale * scale]),
            (len(Z), len(Z)),
            check_invariants=False,
        )
        pulled = S @ Z
        to_directions = Z.T @ scaled
        if ctx.has_metric:
            return None, None, None, to_directions, Z.T @ pulled / 2
        return pulled.addmm_(scaled, directions.T), None, None, to_directions, None
