"""The face network as a torch module agrees with onnxruntime, and has gradients."""

import os
from pathlib import Path

import numpy as np
import pytest

from sensitivenets.errors import InputError
from sensitivenets.faces.network import Description, FaceNetwork
from sensitivenets.obfuscation.drawn_faces import drawn_faces

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from sensitivenets.obfuscation.face_module import FaceModule  # noqa: E402
from sensitivenets.obfuscation.networks import to_planes  # noqa: E402


def write_network(path, *, side=16, extra=None, seed=0):
    """A network with every kind of node that face networks have, and weights at random."""
    rng = np.random.default_rng(seed)
    values = {
        "mean": np.array(127.5),
        "scale": np.array(1 / 128),
        "first": 0.3 * rng.normal(size=(8, 3, 3, 3)),
        "slope": rng.uniform(0.1, 0.4, (8, 1, 1)),
        "each": 0.3 * rng.normal(size=(8, 1, 3, 3)),
        "each_bias": 0.1 * rng.normal(size=8),
        "uneven": 0.3 * rng.normal(size=(8, 8, 2, 2)),
        "out": 0.1 * rng.normal(size=(12, 8 * (side // 2) ** 2)),
        "out_bias": 0.1 * rng.normal(size=12),
    }
    for k, width in ((1, 8), (2, 8), (3, 12)):
        values |= {
            f"gamma{k}": rng.uniform(0.5, 1.5, width),
            f"beta{k}": rng.normal(size=width),
            f"mean{k}": rng.normal(size=width),
            f"var{k}": rng.uniform(0.5, 1.5, width),
        }

    def norm(k, source, target):
        inputs = [source, f"gamma{k}", f"beta{k}", f"mean{k}", f"var{k}"]
        return helper.make_node("BatchNormalization", inputs, [target], epsilon=1e-3)

    nodes = [
        helper.make_node("Sub", ["data", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "scale"], ["scaled"]),
        helper.make_node("Conv", ["scaled", "first"], ["c1"], strides=[2, 2], pads=[1, 1, 1, 1]),
        norm(1, "c1", "n1"),
        helper.make_node("PRelu", ["n1", "slope"], ["r1"]),
        helper.make_node("Conv", ["r1", "each", "each_bias"], ["c2"], group=8, pads=[1, 1, 1, 1]),
        norm(2, "c2", "n2"),
        helper.make_node("Add", ["n2", "r1"], ["a2"]),
        helper.make_node("Conv", ["a2", "uneven"], ["c3"], pads=[0, 0, 1, 1]),
        helper.make_node(extra or "Relu", ["c3"], ["r3"]),
        helper.make_node("Flatten", ["r3"], ["flat"]),
        helper.make_node("Gemm", ["flat", "out", "out_bias"], ["g"], transB=1),
        norm(3, "g", "embedding"),
    ]
    shapes = (["n", 3, side, side], ["n", 12])
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in zip(("data", "embedding"), shapes, strict=True)
    ]
    constants = [numpy_helper.from_array(v.astype(np.float32), n) for n, v in values.items()]
    graph = helper.make_graph(nodes, "face", ends[:1], ends[1:], constants)
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return path


@pytest.mark.parametrize(
    "description",
    [Description(side=16), Description(side=16, channels="BGR", mean=(90, 100, 130), scale=2.0)],
    ids=["plain", "described"],
)
def test_it_agrees_with_onnxruntime(tmp_path, description):
    path = write_network(tmp_path / "face.onnx")
    crops = np.random.default_rng(1).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    with torch.no_grad():
        found = FaceModule(path, description)(to_planes(crops)).numpy()
    np.testing.assert_allclose(found, FaceNetwork(path, description)(list(crops)), atol=1e-5)


def test_the_gradient_is_that_of_finite_differences(tmp_path):
    module = FaceModule(write_network(tmp_path / "face.onnx")).double()
    images = torch.rand(1, 3, 16, 16, dtype=torch.float64, generator=torch.Generator())
    images.requires_grad_()
    direction = torch.linspace(-1, 1, 12, dtype=torch.float64)
    (module(images)[0] @ direction).backward()
    step = 1e-6
    for where in ((0, 0, 3, 4), (0, 2, 9, 15)):
        with torch.no_grad():
            moved = images.clone()
            moved[where] += step
            up = module(moved)[0] @ direction
            moved[where] -= 2 * step
            down = module(moved)[0] @ direction
        assert images.grad[where].item() == pytest.approx(
            ((up - down) / (2 * step)).item(), rel=1e-4
        )


def test_the_network_itself_does_not_learn(tmp_path):
    assert not list(FaceModule(write_network(tmp_path / "face.onnx")).parameters())


def test_an_unknown_operator_is_named(tmp_path):
    path = write_network(tmp_path / "face.onnx", extra="Softplus")
    with pytest.raises(InputError, match=r"no gradient for the operators Softplus; known are Add"):
        FaceModule(path)


@pytest.mark.parametrize("content", [b"", b"not a network at all"])
def test_what_is_no_network_is_refused(tmp_path, content):
    path = tmp_path / "face.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match="expected an ONNX file"):
        FaceModule(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.onnx: expected an ONNX file"):
        FaceModule(tmp_path / "none.onnx")


@pytest.mark.skipif("SENSITIVENETS_DATA" not in os.environ, reason="SENSITIVENETS_DATA is unset")
def test_mobilefacenet_agrees_with_onnxruntime():
    path = Path(os.environ["SENSITIVENETS_DATA"]) / "models" / "mobilefacenet.onnx"
    crops = drawn_faces(2, 1).pixels
    with torch.no_grad():
        found = FaceModule(path)(to_planes(crops)).numpy()
    np.testing.assert_allclose(found, FaceNetwork(path, Description())(list(crops)), atol=1e-5)
