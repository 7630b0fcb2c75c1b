"""What routed erasers leave behind: a router, and stages that move each group its own way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import normalise_rows
from sensitivenets.errors import InputError
from sensitivenets.maps.base import require_features, require_names, shapes
from sensitivenets.maps.router import Router

Groups = npt.NDArray[np.int64]


@dataclass(frozen=True)
class GroupTransport:
    """Each group's own affine map, then normalise: (x - mean_g) @ T_g + center.

    Attributes
    ----------
    matrices : ndarray of shape (groups, d, d), float32
        Symmetric.
    offsets : ndarray of shape (groups, d), float32
        ``center - mean_g @ T_g``.
    """

    kind: ClassVar[str] = "transport"

    matrices: FloatArray
    offsets: FloatArray

    @property
    def shape(self) -> tuple[int, ...]:
        """Groups and features."""
        return self.offsets.shape

    def __call__(self, X: FloatArray, groups: Groups) -> FloatArray:
        """Map (n, d) to unit rows (n, d); `groups` has the group of each row."""
        out = self.moved(X, groups)
        normalise_rows(out)
        return out

    def moved(self, X: FloatArray, groups: Groups) -> FloatArray:
        """Map (n, d) to (n, d), not normalised; `groups` has the group of each row."""
        out = np.empty_like(X)
        # Rows of one group side by side: one product a group.
        order = np.argsort(groups, kind="stable")
        bounds = np.searchsorted(groups[order], np.arange(len(self.matrices) + 1))
        for g in range(len(self.matrices)):
            rows = order[bounds[g] : bounds[g + 1]]
            if len(rows):
                moved = X[rows] @ self.matrices[g].astype(X.dtype, copy=False)
                moved += self.offsets[g]
                out[rows] = moved
        return out

    def arrays(self) -> dict[str, FloatArray]:
        """Return the arrays to save, by name."""
        return {"matrices": self.matrices, "offsets": self.offsets}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, FloatArray]) -> GroupTransport:
        """Rebuild from what `arrays` returned.

        Raises
        ------
        InputError
            If a name is missing or unknown, or a shape does not fit.
        """
        require_names(arrays, {"matrices", "offsets"})
        matrices, offsets = arrays["matrices"], arrays["offsets"]
        if offsets.ndim != 2 or matrices.shape != (*offsets.shape, offsets.shape[1]):
            raise InputError(
                "transport: expected matrices (groups, d, d) and offsets (groups, d), found "
                f"{shapes(arrays)}"
            )
        return cls(matrices, offsets)


@dataclass(frozen=True)
class CellShift:
    """Moves a row by the shift of its group in the cells around it, then normalises.

    Attributes
    ----------
    centers : ndarray of shape (cells, d), float32
        Middle of each cell.
    shifts : ndarray of shape (groups, cells, d), float32
        Where each group goes in each cell.
    sharpness : ndarray of shape (1,), float32
        Membership of a row in the cells is a softmax of minus half its squared distances times
        this.
    """

    kind: ClassVar[str] = "cells"

    centers: FloatArray
    shifts: FloatArray
    sharpness: FloatArray

    @property
    def shape(self) -> tuple[int, ...]:
        """Groups and features."""
        return (self.shifts.shape[0], self.shifts.shape[2])

    def __call__(self, X: FloatArray, groups: Groups) -> FloatArray:
        """Map (n, d) to unit rows (n, d); `groups` has the group of each row."""
        out = X.copy()
        for g, shifts in enumerate(self.shifts):
            rows = np.flatnonzero(groups == g)
            if len(rows):
                members = memberships(X[rows], self.centers, float(self.sharpness[0]))
                out[rows] += members @ shifts
        normalise_rows(out)
        return out

    def arrays(self) -> dict[str, FloatArray]:
        """Return the arrays to save, by name."""
        return {"centers": self.centers, "shifts": self.shifts, "sharpness": self.sharpness}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, FloatArray]) -> CellShift:
        """Rebuild from what `arrays` returned.

        Raises
        ------
        InputError
            If a name is missing or unknown, or a shape does not fit.
        """
        require_names(arrays, {"centers", "shifts", "sharpness"})
        centers, shifts, sharpness = (arrays[n] for n in ("centers", "shifts", "sharpness"))
        if centers.ndim != 2 or shifts.shape[1:] != centers.shape or sharpness.shape != (1,):
            raise InputError(
                "cells: expected centers (cells, d), shifts (groups, cells, d) and sharpness (1,), "
                f"found {shapes(arrays)}"
            )
        return cls(centers, shifts, sharpness)


def memberships(X: FloatArray, centers: FloatArray, sharpness: float) -> FloatArray:
    """Share of each row in each cell, shape (n, cells); rows sum to one."""
    logits = X @ centers.T.astype(X.dtype, copy=False)
    logits -= np.einsum("ij,ij->i", centers, centers) / 2
    logits *= sharpness
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


Stage = GroupTransport | CellShift

_STAGES: dict[str, Callable[[Mapping[str, FloatArray]], Stage]] = {
    GroupTransport.kind: GroupTransport.from_arrays,
    CellShift.kind: CellShift.from_arrays,
}


@dataclass(frozen=True)
class RoutedMap:
    """Route each row to a group once, then let every stage move it by that group.

    Attributes
    ----------
    router : Router
        Finds the group of a row.
    stages : tuple of Stage
        Applied in order.
    """

    kind: ClassVar[str] = "routed"

    router: Router
    stages: tuple[Stage, ...]

    @property
    def n_features_in(self) -> int:
        """Features of an input embedding."""
        return int(self.router.means.shape[1])

    @property
    def n_features_out(self) -> int:
        """Features of an output embedding."""
        return self.n_features_in

    def __call__(self, X: FloatArray, groups: Groups | None = None) -> FloatArray:
        """Map (n, d) to unit rows (n, d) of the type of `X`; `groups`, if known, are not routed."""
        require_features(X, self.n_features_in)
        groups = self.router(X) if groups is None else groups
        for stage in self.stages:
            X = stage(X, groups)
        return X

    def arrays(self) -> dict[str, FloatArray]:
        """Return the arrays to save; a name says router, or position and kind of a stage."""
        named = {f"router.{name}": array for name, array in self.router.arrays().items()}
        for k, stage in enumerate(self.stages):
            named |= {f"{k}-{stage.kind}.{name}": a for name, a in stage.arrays().items()}
        return named

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, FloatArray]) -> RoutedMap:
        """Rebuild from what `arrays` returned.

        Raises
        ------
        InputError
            If the names do not describe a router and stages, or a shape does not fit.
        """
        parts: dict[str, dict[str, FloatArray]] = {}
        for name, array in arrays.items():
            part, _, inner = name.partition(".")
            parts.setdefault(part, {})[inner] = array
        router = Router.from_arrays(parts.pop("router", {}))
        stages = []
        for k, part in enumerate(sorted(parts, key=_place)):
            kind = part.partition("-")[2]
            if _place(part) != k or kind not in _STAGES:
                raise InputError(f"routed: expected stage {k} of {sorted(_STAGES)}, found {part!r}")
            stages.append(_STAGES[kind](parts[part]))
        for k, stage in enumerate(stages):
            if stage.shape != router.means.shape:
                raise InputError(
                    f"routed: expected stage {k} to have the {router.means.shape[0]} groups and "
                    f"{router.means.shape[1]} features of the router, found {stage.shape}"
                )
        return cls(router, tuple(stages))


def _place(part: str) -> int:
    number = part.partition("-")[0]
    return int(number) if number.isdecimal() else -1
