"""A network and a map behind it, as one ONNX model: embeddings never leave it as they were."""

from __future__ import annotations

import onnx
from onnx import TensorProto, compose, helper, version_converter

from sensitivenets.errors import InputError
from sensitivenets.maps.base import Fitted, FittedMap, Model, map_of
from sensitivenets.onnx_export.export import OLDEST_OPSET, OUTPUT, model_from
from sensitivenets.onnx_export.graph import PREFIX
from sensitivenets.onnx_export.lengths import takes_unit_rows

_BETWEEN = f"{PREFIX}.embedding"
_REALS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)


def fuse(
    network: onnx.ModelProto,
    fitted: Model | Fitted | FittedMap,
    *,
    normalise: bool | None = None,
) -> onnx.ModelProto:
    """Join a network that makes embeddings with the map fitted on them.

    Parameters
    ----------
    network : onnx.ModelProto
        With one output of shape (n, d), or (n, d, 1, 1); not changed.
    fitted : Model, fitted estimator or FittedMap
        Fitted on embeddings of this network.
    normalise : bool, optional
        Whether to scale the embeddings to unit length in between. Unless given, they are if the
        rows that the map was fitted on were of unit length.

    Returns
    -------
    onnx.ModelProto
        With the inputs of the network; its one output, `agnostic`, is what the map makes.

    Raises
    ------
    InputError
        If the network has another number of outputs or features or has a map behind it already,
        `fitted` is none of these, or nobody recorded how long its rows were.
    """
    phi = map_of(fitted)
    unit = takes_unit_rows(fitted) if normalise is None else normalise
    try:
        before = _with_plain_output(network, phi.n_features_in)
        opset = next((o.version for o in before.opset_import if not o.domain), OLDEST_OPSET)
        if opset < OLDEST_OPSET:
            before = version_converter.convert_version(before, OLDEST_OPSET)
        name = f"{_BETWEEN}.in"
        behind = model_from(phi, name, opset=max(opset, OLDEST_OPSET), normalise_input=unit)
        behind.ir_version = before.ir_version
        joined = compose.merge_models(before, behind, io_map=[(_BETWEEN, name)], outputs=[OUTPUT])
        onnx.checker.check_model(joined, full_check=True)
    except InputError:
        raise
    except Exception as error:
        # The checker, the converter and the inference of shapes have no common base.
        said = " ".join(str(error).split())
        raise InputError(f"network: onnx cannot join a map to it: {said:.300}") from error
    return joined


def _with_plain_output(network: onnx.ModelProto, n_features: int) -> onnx.ModelProto:
    """Return the network with its one output as (n, d), float32, under a name of ours."""
    outputs = network.graph.output
    if len(outputs) != 1:
        raise InputError(
            f"network: expected one output, the embedding, found {len(outputs)}: "
            f"{', '.join(value.name for value in outputs)}; keep only that one"
        )
    taken = {name for node in network.graph.node for name in (*node.input, *node.output)}
    if any(name == OUTPUT or name.startswith(f"{PREFIX}.") for name in taken):
        raise InputError(
            "network: has a map of sensitivenets behind it already; use the network alone"
        )
    kind = outputs[0].type.tensor_type
    sizes = [d.dim_value for d in kind.shape.dim]
    if len(sizes) < 2 or sizes[1] not in {0, n_features} or any(n != 1 for n in sizes[2:]):
        raise InputError(
            f"network: expected an output of shape (n, {n_features}) as the model was "
            f"fitted on, found {sizes}; use the network that made the training embeddings"
        )
    if kind.elem_type not in _REALS:
        raise InputError(
            f"network: expected an output of float32, found "
            f"{TensorProto.DataType.Name(kind.elem_type).lower()}"
        )
    made = onnx.ModelProto()
    made.CopyFrom(network)
    flat = f"{_BETWEEN}.flat"
    made.graph.node.extend([
        helper.make_node("Flatten", [outputs[0].name], [flat], axis=1),
        helper.make_node("Cast", [flat], [_BETWEEN], to=TensorProto.FLOAT),
    ])
    del made.graph.output[:]
    made.graph.output.append(
        helper.make_tensor_value_info(_BETWEEN, TensorProto.FLOAT, ["n", n_features])
    )
    return made
