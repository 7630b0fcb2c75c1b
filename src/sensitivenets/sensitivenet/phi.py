"""phi: dense layers with linear activation, trained one after the other, and their product.

Layer j maps phi_{j-1} (d_{j-1} features) to `n_units` features. Nothing stands between two layers:
an l2-normalisation there would change the length of each row only, and the last one undoes that.
So the layers fold into one d x n_units matrix F = W_1 ... W_n.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import normalise_rows
from sensitivenets.sensitivenet.parameters import Init
from sensitivenets.sensitivenet.triplets import IntArray


def initial_weight(
    n_in: int, n_units: int, init: Init, generator: torch.Generator, device: torch.device
) -> torch.nn.Parameter:
    """Draw the weight of a new layer, shape (n_in, n_units).

    ``"orthogonal"`` keeps every distance where n_units >= n_in, so that a layer starts from what
    the layers before it reached; ``"glorot"``, Keras' default for a dense layer, does so roughly.
    """
    weight = torch.empty(n_in, n_units)
    if init == "orthogonal":
        torch.nn.init.orthogonal_(weight, generator=generator)
    else:
        torch.nn.init.xavier_uniform_(weight, generator=generator)
    return torch.nn.Parameter(weight.to(device))


def compact(folded: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Factor the folded map so that phi(x) = normalise(x @ root) @ basis.T.

    `basis` is orthonormal, so normalise(x @ root) has the lengths and angles of phi(x) in as
    few features as possible: what a detector or a miner of triplets needs is all there.

    Parameters
    ----------
    folded : ndarray of shape (d, k)
        The product of the layers.

    Returns
    -------
    root : ndarray of shape (d, r), r = min(d, k)
        Depends on folded @ folded.T alone and changes smoothly with it (Cholesky), so that a
        detector can start from its last solution.
    basis : ndarray of shape (k, r)
        Orthonormal columns.
    """
    basis, root = np.linalg.qr(folded.T)
    signs = np.where(np.diagonal(root) < 0, -1, 1).astype(folded.dtype)
    return (root * signs[:, None]).T, basis * signs


def unit_rows(X: FloatArray, root: FloatArray) -> FloatArray:
    """Compute normalise(X @ root), shape (n, r)."""
    rows = X @ root
    normalise_rows(rows)
    return rows


class Phi:
    """The layers so far: those that are frozen, and the one in training.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32
        Unit embeddings of D-P.
    n_units : int
        Features of every layer.
    device : torch.device
        Where to train.
    """

    def __init__(self, X: FloatArray, n_units: int, device: torch.device) -> None:
        self._n_units = n_units
        self._device = device
        # With few features the products of outputs are cheaper from the metric F F^T than from
        # the outputs (see unit_products): 4 d^2 (u + n_units) against 4 d u n_units operations for
        # u rows. The frozen layers are then a prefix of F, else their outputs are cached.
        self._by_metric = X.shape[1] <= n_units // 2
        self._inputs = torch.from_numpy(X).to(device)
        self._prefix: Tensor | None = None
        self._folded: FloatArray | None = None
        self.weight: torch.nn.Parameter

    def add_layer(self, init: Init, generator: torch.Generator) -> None:
        """Freeze the present layer and put a new one on top of it."""
        if hasattr(self, "weight"):
            frozen = self.weight.detach()
            self._folded = self.folded()
            if self._by_metric:
                self._prefix = torch.from_numpy(self._folded).to(self._device)
            else:
                self._inputs = self._inputs @ frozen
        n_in = self._inputs.shape[1] if self._prefix is None else self._prefix.shape[1]
        self.weight = initial_weight(n_in, self._n_units, init, generator, self._device)

    def folded(self) -> FloatArray:
        """Return the product of all layers, shape (d, n_units), in numpy."""
        weight: FloatArray = self.weight.detach().cpu().numpy()
        return weight.copy() if self._folded is None else self._folded @ weight

    def products(
        self, rows: IntArray, left: Tensor, right: Tensor, directions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Compute what the losses need of phi(X[rows]).

        Parameters
        ----------
        rows : ndarray of shape (u,), int64
            Row numbers of D-P.
        left, right : Tensor of shape (m,), int64
            Positions in `rows`.
        directions : Tensor of shape (n_units, c)
            Weights of softmax layers on phi.

        Returns
        -------
        cosines : Tensor of shape (m,)
            Of phi(X[rows[left]]) and phi(X[rows[right]]).
        products : Tensor of shape (u, c)
            phi(X[rows]) @ directions.
        """
        index = torch.from_numpy(rows).to(self._device)
        left, right = left.to(self._device), right.to(self._device)
        inputs = self._inputs.index_select(0, index)
        if not self._by_metric:
            return unit_products(inputs @ self.weight, left, right, directions)
        folded = self.weight if self._prefix is None else self._prefix @ self.weight
        return unit_products(inputs, left, right, folded @ directions, folded @ folded.T)


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
