"""One fitted map as one ONNX model."""

from __future__ import annotations

import onnx
from onnx import helper

from sensitivenets.maps.base import FittedMap
from sensitivenets.onnx_export.graph import Graph
from sensitivenets.onnx_export.maps import write_map
from sensitivenets.version import __version__

INPUT, OUTPUT = "embedding", "agnostic"

#: The oldest operator set with every operator in the form that is written here.
OLDEST_OPSET = 13
_IR_VERSION = 8


def to_onnx(
    phi: FittedMap, *, opset: int = OLDEST_OPSET, normalise_input: bool = False
) -> onnx.ModelProto:
    """Write a fitted map as ONNX: input `embedding` (n, d), output `agnostic` (n, k), float32.

    Outputs agree with the map in single precision up to rounding; a bit of a universal code whose
    cosine is zero within rounding may differ, and a row on the border of two groups may take
    another way.

    Parameters
    ----------
    phi : FittedMap
        Such as ``load_model(folder).map``.
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
        If this kind of map cannot be written.
    """
    graph = Graph()
    last = write_map(graph, phi, graph.normalise(INPUT) if normalise_input else INPUT)
    graph.nodes.append(helper.make_node("Identity", [last], [OUTPUT]))
    kind = onnx.TensorProto.FLOAT
    made = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "sensitivenets",
            [helper.make_tensor_value_info(INPUT, kind, ["n", phi.n_features_in])],
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
