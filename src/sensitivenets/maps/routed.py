"""What routed erasers leave behind: a router, and stages that move each group its own way."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import FloatArray, squared_norms
from sensitivenets.embeddings.rows import Codes, normalise_rows, row_blocks
from sensitivenets.errors import InputError
from sensitivenets.maps.base import (
    DeclaredArrays,
    DeclaredMap,
    FittedMap,
    Shapes,
    by_part,
    require_features,
)
from sensitivenets.maps.chain import Chain

Groups = Codes

# Rows that stay in the cache from the first product in a subspace to the last.
_SUBSPACE_ROWS = 2048
# Values of a block of rows that stay in the cache while all columns of a whitening read them.
_SCORED_VALUES = 2**19
# Columns of a triangular whitening that one product takes: narrower ones multiply fewer zeros, and
# are slower at it.
_STRIPE = 64


@dataclass(frozen=True, repr=False)
class Router(DeclaredArrays):
    """Which group does a row look like? Quadratic discriminant scores of Gaussian groups.

    Attributes
    ----------
    means : ndarray of shape (groups, d), float32
        Mean of each group.
    whitening : ndarray of shape (groups, d, d), float32
        Of each group's covariance C: W with W W^T = C^-1. An upper triangle takes half the work;
        the symmetric root, which earlier versions left, gives the same scores.
    offsets : ndarray of shape (groups,), float32
        Log prior minus half the log determinant.
    """

    kind: ClassVar[str] = "router"
    shapes: ClassVar[Shapes] = {"means": "g d", "whitening": "g d d", "offsets": "g"}

    means: FloatArray
    whitening: FloatArray
    offsets: FloatArray

    @property
    def n_groups(self) -> int:
        """Groups told apart."""
        return len(self.means)

    def scores(self, X: FloatArray) -> FloatArray:
        """Log posterior of each group up to a constant of the row, shape (n, groups)."""
        require_features(X, self.means.shape[1])
        scores = np.empty((len(X), self.n_groups), dtype=np.float32)
        for rows in row_blocks(len(X), max(1, _SCORED_VALUES // X.shape[1])):
            block = X[rows].astype(np.float32, copy=False)
            for g, (mean, whitening) in enumerate(zip(self.means, self.whitening, strict=True)):
                centred = block - mean
                distance = np.zeros(len(block), dtype=np.float32)
                for read, columns in self._stripes:
                    white = centred[:, read] @ whitening[read, columns]
                    distance += np.einsum("ij,ij->i", white, white)
                scores[rows, g] = self.offsets[g] - distance / 2
        return scores

    @cached_property
    def _stripes(self) -> list[tuple[slice, slice]]:
        """Columns of the whitenings, behind the rows of them that are not all zero there."""
        d = self.means.shape[1]
        if np.tril(self.whitening, -1).any():
            return [(slice(d), slice(d))]
        return [(slice(columns.stop), columns) for columns in row_blocks(d, _STRIPE)]

    def __call__(self, X: FloatArray) -> npt.NDArray[np.int64]:
        """Index of the most probable group of each row, shape (n,)."""
        return np.asarray(self.scores(X).argmax(axis=1))


@dataclass(frozen=True, repr=False)
class GroupTransport(DeclaredArrays):
    """Each group's own affine map, then normalise: (x - mean_g) @ T_g + center.

    Attributes
    ----------
    matrices : ndarray of shape (groups, d, d), float32
        Symmetric.
    offsets : ndarray of shape (groups, d), float32
        ``center - mean_g @ T_g``.
    """

    kind: ClassVar[str] = "transport"
    shapes: ClassVar[Shapes] = {"matrices": "g d d", "offsets": "g d"}

    matrices: FloatArray
    offsets: FloatArray

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


@dataclass(frozen=True, repr=False)
class CellShift(DeclaredArrays):
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
    shapes: ClassVar[Shapes] = {"centers": "c d", "shifts": "g c d", "sharpness": "1"}

    centers: FloatArray
    shifts: FloatArray
    sharpness: FloatArray

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


def memberships(X: FloatArray, centers: FloatArray, sharpness: float) -> FloatArray:
    """Share of each row in each cell, shape (n, cells); rows sum to one."""
    logits = X @ centers.T.astype(X.dtype, copy=False)
    logits -= np.einsum("ij,ij->i", centers, centers) / 2
    logits *= sharpness
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


# Of the shortest and the longest row of a fit: rows beyond are of another scale.
_SHORTER, _LONGER = 0.5, 2.0
# Rows within a hundredth of unit length are unit rows.
_UNIT = 0.01


def usual_lengths(squares: FloatArray) -> FloatArray:
    """Say how long the rows of a map are: the shortest and the longest it takes, and the typical.

    Parameters
    ----------
    squares : ndarray of shape (n,)
        Squared length of each row that the map is fitted on.

    Returns
    -------
    ndarray of shape (3,), float32
        The shortest, the median and the longest length: half and twice as far as the rows reach,
        or a hundredth around one for unit rows.
    """
    lengths = np.sqrt(squares)
    shortest, longest = float(lengths.min()), float(lengths.max())
    if shortest >= 1 - _UNIT and longest <= 1 + _UNIT:
        return np.array([1 - _UNIT, 1, 1 + _UNIT], dtype=np.float32)
    typical = float(np.median(lengths, overwrite_input=True))
    return np.array([_SHORTER * shortest, typical, _LONGER * longest], dtype=np.float32)


def of_usual_length(X: FloatArray, lengths: FloatArray | None) -> FloatArray:
    """Scale rows that are shorter or longer than a map takes to its typical length.

    A map that is fitted on unit rows thus normalises others. Routes of rows of another scale
    would be of their length, and hide nothing.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows; not changed. Zero rows stay.
    lengths : ndarray of shape (3,), optional
        See `usual_lengths`; folders of earlier versions have none, and rows stay as they are.

    Returns
    -------
    ndarray of shape (n, d), of the type of `X`
        `X` itself if no row is of another scale.
    """
    if lengths is None:
        return X
    norms = np.sqrt(squared_norms(X))
    other = ((norms < lengths[0]) | (norms > lengths[2])) & (norms > 0)
    if not other.any():
        return X
    scaled = X.copy()
    scaled[other] *= (lengths[1] / norms[other])[:, None].astype(X.dtype)
    return scaled


Stage = GroupTransport | CellShift

_STAGES: dict[str, type[Stage]] = {kind.kind: kind for kind in (GroupTransport, CellShift)}


@dataclass(frozen=True, repr=False)
class RoutedMap(DeclaredMap):
    """Route each row to a group once, then let every stage move it by that group.

    Attributes
    ----------
    router : Router
        Finds the group of a row.
    stages : tuple of Stage
        Applied in order.
    lengths : ndarray of shape (3,), float32, optional
        Of the rows: shortest, typical, longest (`usual_lengths`). Others are scaled to the typical.
    """

    kind: ClassVar[str] = "routed"

    router: Router
    stages: tuple[Stage, ...]
    lengths: FloatArray | None = None

    def __call__(self, X: FloatArray, groups: Groups | None = None) -> FloatArray:
        """Map (n, d) to unit rows (n, d) of the type of `X`; `groups`, if known, are not routed."""
        X = self.seen(X)
        groups = self.router(X) if groups is None else groups
        for stage in self.stages:
            X = stage(X, groups)
        return X

    def seen(self, X: FloatArray) -> FloatArray:
        """Return rows (n, d) as the router sees them, shape (n, d)."""
        require_features(X, self.n_features_in)
        return of_usual_length(X, self.lengths)

    def arrays(self) -> dict[str, FloatArray]:
        """Return the arrays to save; a name says router, or position and kind of a stage."""
        named = {f"router.{name}": array for name, array in self.router.arrays().items()}
        for k, stage in enumerate(self.stages):
            named |= {f"{k}-{stage.kind}.{name}": a for name, a in stage.arrays().items()}
        return named if self.lengths is None else named | {"lengths": self.lengths}

    @classmethod
    def declared(cls, names: Collection[str]) -> Shapes:
        """Return the declaration of a router and of the stages that `names` are for."""
        shapes = Router.within("router") | {"lengths?": "3"}
        for k, part in enumerate(_stages(names)):
            kind = part.partition("-")[2]
            if _place(part) != k or kind not in _STAGES:
                raise InputError(f"routed: expected stage {k} of {sorted(_STAGES)}, found {part!r}")
            shapes |= _STAGES[kind].within(part, c=f"c{k}")
        return shapes

    @classmethod
    def _of(cls, arrays: Mapping[str, FloatArray]) -> RoutedMap:
        parts = by_part(arrays)
        stages = (_STAGES[name.partition("-")[2]](**parts[name]) for name in _stages(arrays))
        return cls(Router(**parts["router"]), tuple(stages), arrays.get("lengths"))


def _stages(names: Collection[str]) -> list[str]:
    """Names of the stages in their order."""
    return sorted({name.rpartition(".")[0] for name in names} - {"router", ""}, key=_place)


def _place(part: str) -> int:
    number = part.partition("-")[0]
    return int(number) if number.isdecimal() else -1


@dataclass(frozen=True, repr=False)
class SubspaceMap(DeclaredMap):
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
    lengths : ndarray of shape (3,), float32, optional
        As those of `RoutedMap`.
    """

    kind: ClassVar[str] = "subspace"
    shapes: ClassVar[Shapes] = {
        "basis": "d r",
        **Router.within("router", d="r"),
        **GroupTransport.within("transport", d="r"),
        "lengths?": "3",
    }

    basis: FloatArray
    router: Router
    transport: GroupTransport
    lengths: FloatArray | None = None

    def seen(self, X: FloatArray) -> FloatArray:
        """Return rows (n, d) as the router sees them, shape (n, r)."""
        require_features(X, self.n_features_in)
        return of_usual_length(X, self.lengths) @ self.basis.astype(X.dtype, copy=False)

    def __call__(self, X: FloatArray, groups: Groups | None = None) -> FloatArray:
        """Map (n, d) to unit rows (n, d) of the type of `X`; `groups`, if known, are not routed."""
        require_features(X, self.n_features_in)
        basis = self.basis.astype(X.dtype, copy=False)
        out = np.empty_like(X)
        for rows in row_blocks(len(X), _SUBSPACE_ROWS):
            whole = of_usual_length(X[rows], self.lengths)
            coordinates = whole @ basis
            routes = self.router(coordinates) if groups is None else groups[rows]
            step = self.transport.moved(coordinates, routes)
            step -= coordinates
            block = out[rows]
            np.matmul(step, basis.T, out=block)
            block += whole
            normalise_rows(block)
        return out

    @classmethod
    def _of(cls, arrays: Mapping[str, FloatArray]) -> SubspaceMap:
        parts = by_part(arrays)
        router, transport = Router(**parts["router"]), GroupTransport(**parts["transport"])
        return cls(arrays["basis"], router, transport, arrays.get("lengths"))


def moved_in_groups(fitted: FittedMap, X: FloatArray, groups: Groups) -> FloatArray:
    """Apply a map to rows whose groups are known: its first router is not asked.

    Parameters
    ----------
    fitted : FittedMap
        With routes, or without: groups then change nothing.
    X : ndarray of shape (n, d)
        Rows.
    groups : ndarray of shape (n,), int64
        Group of each row.

    Returns
    -------
    ndarray of shape (n, k)
        Mapped rows.
    """
    known: Groups | None = groups
    for part in fitted.flat() if isinstance(fitted, Chain) else [fitted]:
        if known is not None and isinstance(part, RoutedMap | SubspaceMap):
            X, known = part(X, known), None
        else:
            X = part(X)
    return X
