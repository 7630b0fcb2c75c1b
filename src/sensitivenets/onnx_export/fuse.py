"""A network and a map behind it, as one ONNX model: embeddings never leave it as they were."""

from __future__ import annotations

import onnx
from onnx import compose, version_converter

from sensitivenets.errors import InputError
from sensitivenets.maps.base import Fitted, FittedMap, Model, map_of
from sensitivenets.onnx_export.export import INPUT, OLDEST_OPSET, OUTPUT, to_onnx


def fuse(
    network: onnx.ModelProto, fitted: Model | Fitted | FittedMap, *, normalise: bool = True
) -> onnx.ModelProto:
    """Join a network that makes embeddings with the map fitted on them.

    Parameters
    ----------
    network : onnx.ModelProto
        With one output of shape (n, d).
    fitted : Model, fitted estimator or FittedMap
        Fitted on embeddings of this network.
    normalise : bool, default=True
        Whether to scale the embeddings to unit length in between, as they were when it was fitted.

    Returns
    -------
    onnx.ModelProto
        With the inputs of the network; its one output, `agnostic`, is what the map makes.

    Raises
    ------
    InputError
        If the network has another number of outputs or features, or `fitted` is none of these.
    """
    phi = map_of(fitted)
    outputs = [value.name for value in network.graph.output]
    if len(outputs) != 1:
        raise InputError(
            f"network: expected one output, the embedding, found {len(outputs)}: "
            f"{', '.join(outputs)}; keep only that one"
        )
    sizes = [d.dim_value for d in network.graph.output[0].type.tensor_type.shape.dim]
    if len(sizes) != 2 or sizes[1] not in {0, phi.n_features_in}:
        raise InputError(
            f"network: expected an output of shape (n, {phi.n_features_in}) as the model was "
            f"fitted on, found {sizes}; use the network that made the training embeddings"
        )
    opset = next((o.version for o in network.opset_import if not o.domain), OLDEST_OPSET)
    if opset < OLDEST_OPSET:
        network = version_converter.convert_version(network, OLDEST_OPSET)
    behind = to_onnx(phi, opset=max(opset, OLDEST_OPSET), normalise_input=normalise)
    behind.ir_version = network.ir_version
    joined = compose.merge_models(network, behind, io_map=[(outputs[0], INPUT)], outputs=[OUTPUT])
    onnx.checker.check_model(joined, full_check=True)
    return joined
