"""One fitted map as one ONNX model."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import helper

from sensitivenets.atomic import atomic_file
from sensitivenets.errors import InputError
from sensitivenets.maps.base import Fitted, FittedMap, Model, map_of
from sensitivenets.onnx_export.graph import Graph
from sensitivenets.onnx_export.maps import write_map
from sensitivenets.version import __version__

INPUT, OUTPUT = "embedding", "agnostic"

#: The oldest operator set with every operator in the form that is written here.
OLDEST_OPSET = 13
_IR_VERSION = 8


def to_onnx(
    fitted: Model | Fitted | FittedMap,
    path: str | Path | None = None,
    *,
    opset: int = OLDEST_OPSET,
    normalise_input: bool = False,
) -> onnx.ModelProto:
    """Write a fitted map as ONNX: input `embedding` (n, d), output `agnostic` (n, k), float32.

    Outputs agree with the map in single precision up to rounding; a bit of a universal code whose
    cosine is zero within rounding may differ, and a row on the border of two groups may take
    another way.

    Parameters
    ----------
    fitted : Model, fitted estimator or FittedMap
        Such as ``load_model(folder)``.
    path : str or Path, optional
        Where to write it as well; replaces what is there, and is there whole or not at all.
    opset : int, default=13
        Version of the operators, 13 or newer.
    normalise_input : bool, default=False
        Whether to scale embeddings to unit length first, for networks that do not.

    Returns
    -------
    onnx.ModelProto
        Checked.

    Raises
    ------
    InputError
        If `fitted` is none of these, this kind of map cannot be written, or `path` does not end in
        ``.onnx``.
    """
    phi = map_of(fitted)
    if path is not None and Path(path).suffix != ".onnx":
        raise InputError(f"{path}: expected a name that ends in .onnx")
    made = model_from(phi, INPUT, opset=opset, normalise_input=normalise_input)
    if path is not None:
        with atomic_file(Path(path)) as temporary:
            temporary.write_bytes(made.SerializeToString())
    return made


def model_from(
    phi: FittedMap, name: str, *, opset: int = OLDEST_OPSET, normalise_input: bool = False
) -> onnx.ModelProto:
    """Do what `to_onnx` does for a map, with an input of the given name."""
    graph = Graph()
    last = write_map(graph, phi, graph.normalise(name) if normalise_input else name)
    graph.nodes.append(helper.make_node("Identity", [last], [OUTPUT]))
    kind = onnx.TensorProto.FLOAT
    made = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "sensitivenets",
            [helper.make_tensor_value_info(name, kind, ["n", phi.n_features_in])],
            [helper.make_tensor_value_info(OUTPUT, kind, ["n", phi.n_features_out])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=_IR_VERSION,
        producer_name="sensitivenets",
        producer_version=__version__,
    )
    onnx.checker.check_model(made, full_check=True)
    return made
