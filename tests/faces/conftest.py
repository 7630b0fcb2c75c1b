import onnx
import pytest
from onnx import TensorProto, helper


@pytest.fixture(scope="module")
def means(tmp_path_factory):
    """A network whose embedding is the mean of each channel."""
    path = tmp_path_factory.mktemp("network") / "means.onnx"
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["data"], ["mean"], axes=[2, 3], keepdims=0),
            helper.make_node("Identity", ["mean"], ["embedding"]),
        ],
        "means",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 3])],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path
    )
    return path
