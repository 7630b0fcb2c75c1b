"""Routed transport within a subspace: the few directions in which groups differ most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import normalise_rows, row_blocks
from sensitivenets.errors import InputError
from sensitivenets.maps.base import require_features
from sensitivenets.maps.routed import Groups, GroupTransport
from sensitivenets.maps.router import Router

# Rows that stay in the cache from the first product to the last.
_SUBSPACE_ROWS = 2048


@dataclass(frozen=True)
class SubspaceMap:
    """Route and move a row by its coordinates in a subspace, leave the rest of it, normalise.

    x -> normalise(x + (T(z) - z) basis^T) with z = x basis: of d r operations a row where
    `RoutedMap` has groups x d^2.

    Attributes
    ----------
    basis : ndarray of shape (d, r), float32
        Orthonormal columns.
    router : Router
        Of r features.
    transport : GroupTransport
        T, of r features.
    """

    kind: ClassVar[str] = "subspace"

    basis: FloatArray
    router: Router
    transport: GroupTransport

    @property
    def n_features_in(self) -> int:
        """Features of an input embedding."""
        return int(self.basis.shape[0])

    @property
    def n_features_out(self) -> int:
        """Features of an output embedding."""
        return self.n_features_in

    def __call__(self, X: FloatArray, groups: Groups | None = None) -> FloatArray:
        """Map (n, d) to unit rows (n, d) of the type of `X`; `groups`, if known, are not routed."""
        require_features(X, self.n_features_in)
        basis = self.basis.astype(X.dtype, copy=False)
        out = np.empty_like(X)
        for rows in row_blocks(len(X), _SUBSPACE_ROWS):
            coordinates = X[rows] @ basis
            routes = self.router(coordinates) if groups is None else groups[rows]
            step = self.transport.moved(coordinates, routes)
            step -= coordinates
            block = out[rows]
            np.matmul(step, basis.T, out=block)
            block += X[rows]
            normalise_rows(block)
        return out

    def arrays(self) -> dict[str, FloatArray]:
        """Return the arrays to save, by name."""
        return {
            "basis": self.basis,
            **{f"router.{name}": array for name, array in self.router.arrays().items()},
            **{f"transport.{name}": array for name, array in self.transport.arrays().items()},
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, FloatArray]) -> SubspaceMap:
        """Rebuild from what `arrays` returned.

        Raises
        ------
        InputError
            If a name is missing or unknown, or a shape does not fit.
        """
        parts: dict[str, dict[str, FloatArray]] = {"router": {}, "transport": {}, "": {}}
        for name, array in arrays.items():
            part, _, inner = name.rpartition(".")
            parts.setdefault(part, {})[inner] = array
        if set(parts) != {"router", "transport", ""} or set(parts[""]) != {"basis"}:
            raise InputError(
                f"expected arrays basis, router.* and transport.*, found {sorted(arrays)}"
            )
        basis = arrays["basis"]
        router = Router.from_arrays(parts["router"])
        transport = GroupTransport.from_arrays(parts["transport"])
        if basis.ndim != 2 or not basis.shape[1:] == router.means.shape[1:] == transport.shape[1:]:
            raise InputError(
                f"subspace: expected a basis (d, r) and a router and transport of r features, "
                f"found {basis.shape}, {router.means.shape[1]} and {transport.shape[1]}"
            )
        if router.n_groups != transport.shape[0]:
            raise InputError(
                f"subspace: expected a transport of the {router.n_groups} groups of the router, "
                f"found {transport.shape[0]}"
            )
        return cls(basis, router, transport)
