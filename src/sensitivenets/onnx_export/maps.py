"""How each kind of fitted map is written in ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.errors import InputError
from sensitivenets.maps.affine import Affine, LowRankEdit
from sensitivenets.maps.base import FittedMap
from sensitivenets.maps.chain import Chain
from sensitivenets.maps.feature_selection import FeatureSelection
from sensitivenets.maps.fourier import FourierProjection
from sensitivenets.maps.mlp import MLP
from sensitivenets.maps.projection import Projection
from sensitivenets.maps.routed import GroupTransport, RoutedMap, Router, Stage, SubspaceMap
from sensitivenets.maps.universal_code import UniversalCode
from sensitivenets.onnx_export.graph import Graph

# onnx.TensorProto.FLOAT, a number that the format fixes.
_FLOAT = 1


def write_map(graph: Graph, phi: FittedMap, x: str) -> str:
    """Add a map to a graph.

    Parameters
    ----------
    graph : Graph
        Added to.
    phi : FittedMap
        The map.
    x : str
        Name of its input, shape (n, d), float32.

    Returns
    -------
    str
        Name of its output, shape (n, k).

    Raises
    ------
    InputError
        If this kind of map cannot be written.
    """
    if type(phi) not in _WRITERS:
        known = ", ".join(kind.__name__ for kind in _WRITERS)
        raise InputError(f"export: expected a map of {known}; found {type(phi).__name__}")
    return _WRITERS[type(phi)](graph, phi, x)


def _projection(graph: Graph, phi: Projection, x: str) -> str:
    return graph.normalise(graph.affine(x, phi.weight, phi.bias))


def _affine(graph: Graph, phi: Affine, x: str) -> str:
    return graph.affine(x, phi.weight, phi.bias)


def _low_rank_edit(graph: Graph, phi: LowRankEdit, x: str) -> str:
    if not phi.read.shape[1]:
        return graph.node("Identity", x)
    taken = graph.affine(graph.affine(x, phi.read, -phi.offset), phi.write)
    return graph.node("Sub", x, taken)


def _columns(graph: Graph, phi: FeatureSelection, x: str) -> str:
    kept = graph.constant(np.flatnonzero(phi.kept), np.int64)
    return graph.node("Gather", x, kept, axis=1)


def _mlp(graph: Graph, phi: MLP, x: str) -> str:
    for layer, (weight, bias) in enumerate(zip(phi.weights, phi.biases, strict=True)):
        x = graph.affine(x, weight, bias)
        if layer < len(phi.weights) - 1:
            x = graph.node("Relu", x)
    return graph.normalise(x) if phi.normalise else x


def _fourier(graph: Graph, phi: FourierProjection, x: str) -> str:
    cosines = graph.node("Cos", graph.affine(x, phi.frequencies, phi.phases))
    return graph.normalise(graph.affine(cosines, phi.weight, phi.bias))


def _universal_code(graph: Graph, phi: UniversalCode, x: str) -> str:
    cosines = graph.node("Cos", graph.affine(graph.normalise(x), phi.directions, phi.offsets))
    one = 1 / np.sqrt(phi.n_features_out)
    negative = graph.node("Less", cosines, graph.constant(0.0))
    return graph.node("Where", negative, graph.constant(-one), graph.constant(one))


def _routed(graph: Graph, phi: RoutedMap, x: str) -> str:
    x = _of_usual_length(graph, phi.lengths, x)
    masks = _route(graph, phi.router, x)
    for stage in phi.stages:
        x = graph.normalise(_by_group(graph, stage, masks, x))
    return x


def _subspace(graph: Graph, phi: SubspaceMap, x: str) -> str:
    x = _of_usual_length(graph, phi.lengths, x)
    z = graph.affine(x, phi.basis)
    moved = _by_group(graph, phi.transport, _route(graph, phi.router, z), z)
    step = graph.affine(graph.node("Sub", moved, z), phi.basis.T)
    return graph.normalise(graph.node("Add", x, step))


def _of_usual_length(graph: Graph, lengths: FloatArray | None, x: str) -> str:
    """Add the scaling of rows of another scale than the map was fitted on, as the map does it."""
    if lengths is None:
        return x
    shortest, typical, longest = (graph.constant(length) for length in lengths)
    norm = graph.node("Sqrt", graph.squared_norm(x))
    outside = graph.node(
        "Or", graph.node("Less", norm, shortest), graph.node("Less", longest, norm)
    )
    zero = graph.node("Equal", norm, graph.constant(0.0))
    scaled = graph.node("Div", typical, graph.node("Where", zero, graph.constant(1.0), norm))
    return graph.node("Mul", x, graph.node("Where", outside, scaled, graph.constant(1.0)))


def _route(graph: Graph, router: Router, x: str) -> list[str]:
    """Add the router; for each group, one where a row is of it and zero elsewhere, (n, 1)."""
    scores = []
    for mean, whitening, offset in zip(router.means, router.whitening, router.offsets, strict=True):
        # Subtracted first, as the router does: whitened means are large where spread is small.
        centred = graph.node("Sub", x, graph.constant(mean))
        distance = graph.squared_norm(graph.affine(centred, whitening))
        half = graph.node("Mul", distance, graph.constant(-0.5))
        scores.append(graph.node("Add", half, graph.constant(offset)))
    group = graph.node("ArgMax", graph.node("Concat", *scores, axis=1), axis=1, keepdims=1)
    return [
        graph.node("Cast", graph.node("Equal", group, graph.constant(g, np.int64)), to=_FLOAT)
        for g in range(router.n_groups)
    ]


def _by_group(graph: Graph, stage: Stage, masks: list[str], x: str) -> str:
    """Add where a stage moves each row."""
    return graph.node(
        "Sum",
        *(graph.node("Mul", mask, _stage(graph, stage, g, x)) for g, mask in enumerate(masks)),
    )


def _stage(graph: Graph, stage: Stage, g: int, x: str) -> str:
    """Add where a stage moves every row as if it were of one group."""
    if isinstance(stage, GroupTransport):
        return graph.affine(x, stage.matrices[g], stage.offsets[g])
    sharpness = float(stage.sharpness[0])
    bias = -np.einsum("ij,ij->i", stage.centers, stage.centers) / 2 * sharpness
    members = graph.node("Softmax", graph.affine(x, stage.centers.T * sharpness, bias), axis=1)
    return graph.node("Add", x, graph.affine(members, stage.shifts[g]))


def _chain(graph: Graph, phi: Chain, x: str) -> str:
    for part in phi.parts:
        x = write_map(graph, part, x)
    return x


_WRITERS: dict[type[Any], Callable[[Graph, Any, str], str]] = {
    Projection: _projection,
    Affine: _affine,
    LowRankEdit: _low_rank_edit,
    FeatureSelection: _columns,
    MLP: _mlp,
    FourierProjection: _fourier,
    UniversalCode: _universal_code,
    RoutedMap: _routed,
    SubspaceMap: _subspace,
    Chain: _chain,
}
