"""The kinds of fitted map that a model folder may hold."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from sensitivenets.embeddings import FloatArray
from sensitivenets.errors import InputError
from sensitivenets.maps.affine import Affine, LowRankEdit
from sensitivenets.maps.base import DeclaredMap, FittedMap
from sensitivenets.maps.chain import Chain
from sensitivenets.maps.feature_selection import FeatureSelection
from sensitivenets.maps.fourier import FourierProjection
from sensitivenets.maps.mlp import MLP
from sensitivenets.maps.projection import Projection
from sensitivenets.maps.routed import RoutedMap, SubspaceMap
from sensitivenets.maps.universal_code import UniversalCode

KINDS: dict[str, type[DeclaredMap]] = {
    kind.kind: kind
    for kind in (
        Projection,
        Affine,
        LowRankEdit,
        RoutedMap,
        SubspaceMap,
        FeatureSelection,
        FourierProjection,
        MLP,
        UniversalCode,
    )
}


def rebuild_map(kind: str, arrays: Mapping[str, FloatArray]) -> FittedMap:
    """Make a map from its kind and its arrays.

    Raises
    ------
    InputError
        If the kind is unknown or the arrays do not fit it.
    """
    if kind == Chain.kind:
        return _rebuild_chain(arrays)
    if kind not in KINDS:
        known = ", ".join([*KINDS, Chain.kind])
        raise InputError(f"unknown map {kind!r}; expected one of {known}; upgrade sensitivenets")
    try:
        return KINDS[kind].from_arrays(arrays)
    except InputError as error:
        raise InputError(f"{error}; fit again") from error


def _rebuild_chain(arrays: Mapping[str, FloatArray]) -> Chain:
    """Make a chain from arrays named position.kind.name."""
    parts: dict[int, tuple[str, dict[str, FloatArray]]] = {}
    for name, array in arrays.items():
        position, _, rest = name.partition(".")
        kind, _, inner = rest.partition(".")
        if not position.isdecimal() or not inner:
            raise InputError(f"expected arrays named position.kind.name, found {name!r}; fit again")
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
    return Chain(maps)
