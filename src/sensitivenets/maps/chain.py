"""The kinds of fitted map that a model folder may hold, and their composition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from typing import ClassVar

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import in_row_blocks
from sensitivenets.errors import InputError
from sensitivenets.maps.base import FittedMap, require_features

# Where each kind lives: a folder of one kind loads no module of another.
_HOME = {
    "projection": ("sensitivenets.maps.projection", "Projection"),
    "affine": ("sensitivenets.maps.affine", "Affine"),
    "low_rank_edit": ("sensitivenets.maps.affine", "LowRankEdit"),
    "routed": ("sensitivenets.maps.routed", "RoutedMap"),
    "subspace": ("sensitivenets.maps.subspace", "SubspaceMap"),
    "columns": ("sensitivenets.maps.feature_selection", "FeatureSelection"),
    "fourier_projection": ("sensitivenets.maps.fourier", "FourierProjection"),
    "mlp": ("sensitivenets.maps.mlp", "MLP"),
    "universal_code": ("sensitivenets.codes.universal", "UniversalCode"),
}


@dataclass(frozen=True)
class Chain:
    """Maps applied one after the other.

    Attributes
    ----------
    parts : tuple of FittedMap
        At least one; the first is applied first.
    """

    kind: ClassVar[str] = "chain"

    parts: tuple[FittedMap, ...]

    @property
    def n_features_in(self) -> int:
        """Features of an input embedding."""
        return self.parts[0].n_features_in

    @property
    def n_features_out(self) -> int:
        """Features of an output embedding."""
        return self.parts[-1].n_features_out

    def __call__(self, X: FloatArray) -> FloatArray:
        """Map (n, d) to (n, k), keeping the type of `X`."""
        require_features(X, self.n_features_in)
        out = np.empty((len(X), self.n_features_out), dtype=X.dtype)
        in_row_blocks(self._write, X, out)
        return out

    def _write(self, X: FloatArray, out: FloatArray) -> None:
        for part in self.parts:
            X = part(X)
        out[:] = X

    def arrays(self) -> dict[str, FloatArray]:
        """Return the arrays of all parts; a name says position, kind and array."""
        return {
            f"{k}.{part.kind}.{name}": array
            for k, part in enumerate(self.parts)
            for name, array in part.arrays().items()
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, FloatArray]) -> Chain:
        """Rebuild from what `arrays` returned.

        Raises
        ------
        InputError
            If the names do not describe a chain, a part is damaged, or two do not fit together.
        """
        parts: dict[int, tuple[str, dict[str, FloatArray]]] = {}
        for name, array in arrays.items():
            position, _, rest = name.partition(".")
            kind, _, inner = rest.partition(".")
            if not position.isdecimal() or not inner:
                raise InputError(
                    f"expected arrays named position.kind.name, found {name!r}; fit again"
                )
            if parts.setdefault(int(position), (kind, {}))[0] != kind:
                raise InputError(
                    f"expected one kind of map at position {position}, found two; fit again"
                )
            parts[int(position)][1][inner] = array
        if sorted(parts) != list(range(len(parts))) or not parts:
            raise InputError(f"expected parts 0, 1, ..., found {sorted(parts)}; fit again")
        maps = tuple(rebuild_map(*parts[k]) for k in range(len(parts)))
        for first, second in pairwise(maps):
            if first.n_features_out != second.n_features_in:
                raise InputError(
                    f"parts do not fit together: {first.kind} gives {first.n_features_out} "
                    f"features, {second.kind} takes {second.n_features_in}; fit again"
                )
        return cls(maps)


def rebuild_map(kind: str, arrays: Mapping[str, FloatArray]) -> FittedMap:
    """Make a map from its kind and its arrays.

    Raises
    ------
    InputError
        If the kind is unknown or the arrays do not fit it.
    """
    if kind == Chain.kind:
        return Chain.from_arrays(arrays)
    if kind not in _HOME:
        known = ", ".join([*_HOME, Chain.kind])
        raise InputError(f"unknown map {kind!r}; expected one of {known}; upgrade sensitivenets")
    module, name = _HOME[kind]
    from_arrays: Callable[[Mapping[str, FloatArray]], FittedMap]
    from_arrays = getattr(import_module(module), name).from_arrays
    try:
        return from_arrays(arrays)
    except InputError as error:
        raise InputError(f"{error}; fit again") from error
