"""Networks of other people: what they take and give is found out before any photograph is read."""

import hashlib
import json
import os

import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from sensitivenets.embeddings import read_table
from sensitivenets.errors import InputError
from sensitivenets.faces import trial
from sensitivenets.faces.network import Description, FaceNetwork

RNG = np.random.default_rng(0)
SIDE = 8
WEIGHT = RNG.standard_normal((3 * SIDE * SIDE, 6)).astype(np.float32)
EIGHT = Description(side=SIDE)
CROPS = list(RNG.integers(0, 255, (5, SIDE, SIDE, 3), dtype=np.uint8))
FLOAT, HALF, DOUBLE = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE
node, constant = helper.make_node, numpy_helper.from_array


def value(name, shape, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


@pytest.fixture
def save(tmp_path):
    """Save a network of nodes from `data` to `embedding`."""

    def make(nodes, inputs=None, outputs=None, constants=(), name="n.onnx", **options):
        graph = helper.make_graph(
            nodes,
            "network",
            [value("data", ["n", 3, SIDE, SIDE])] if inputs is None else inputs,
            [value("embedding", ["n", "d"])] if outputs is None else outputs,
            list(constants),
        )
        opset = [helper.make_opsetid("", 13)]
        made = helper.make_model(graph, opset_imports=opset, ir_version=8)
        onnx.save(made, tmp_path / name, **options)
        return tmp_path / name

    return make


def product(given="data", made="embedding"):
    return [node("Flatten", [given], ["flat"], axis=1), node("MatMul", ["flat", "w"], [made])]


def expected():
    pixels = np.stack(CROPS).astype(np.float32).transpose(0, 3, 1, 2).reshape(len(CROPS), -1)
    rows = pixels @ WEIGHT
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


W = constant(WEIGHT, "w")
CAST_IN = [node("Cast", ["data"], ["real"], to=FLOAT), *product("real")]
ONE = [constant(np.array([1, -1], np.int64), "one")]
TAKEN = {
    "as it should be": (product(), {}),
    "half precision": (
        [*CAST_IN[:-1], node("MatMul", ["flat", "w"], ["full"]),
         node("Cast", ["full"], ["embedding"], to=HALF)],
        {"inputs": [value("data", ["n", 3, SIDE, SIDE], HALF)],
         "outputs": [value("embedding", ["n", "d"], HALF)]},
    ),
    "double precision": (
        CAST_IN, {"inputs": [value("data", ["n", 3, SIDE, SIDE], DOUBLE)]}
    ),
    "pixels of eight bits": (
        CAST_IN, {"inputs": [value("data", ["n", 3, SIDE, SIDE], TensorProto.UINT8)]}
    ),
    "one crop alone, and says so": (
        [node("Reshape", ["data", "one"], ["flat"]), node("MatMul", ["flat", "w"], ["embedding"])],
        {"inputs": [value("data", [1, 3, SIDE, SIDE])], "constants": ONE},
    ),
    "axes of one": (
        [*product(made="two"), node("Unsqueeze", ["two", "axes"], ["embedding"])],
        {"outputs": [value("embedding", ["n", "d", 1, 1])],
         "constants": [constant(np.array([2, 3], np.int64), "axes")]},
    ),
    "open sizes": (product(), {"inputs": [value("data", ["n", "c", "h", "w_"])]}),
}  # fmt: skip


@pytest.mark.parametrize("case", TAKEN)
def test_networks_of_many_kinds_give_the_same(case, save):
    nodes, parts = TAKEN[case]
    constants = [W, *parts.get("constants", [])]
    network = FaceNetwork(save(nodes, **parts | {"constants": constants}), EIGHT)
    np.testing.assert_allclose(network(CROPS), expected(), atol=2e-3)


def test_a_network_that_hides_that_it_takes_one_crop_is_given_one_at_a_time(save):
    # With two crops its product fails: the shape is fixed within.
    nodes = [
        node("Reshape", ["data", "one"], ["flat"]),
        node("MatMul", ["flat", "w"], ["embedding"]),
    ]
    network = FaceNetwork(save(nodes, constants=[W, *ONE]), EIGHT)
    np.testing.assert_allclose(network(CROPS), expected(), atol=1e-5)


def test_a_network_in_which_crops_meet_is_given_one_at_a_time(save):
    # Scaled by the mean of all that it is given, as a network left in training does.
    nodes = [
        *product(made="rows"),
        node("ReduceMean", ["rows"], ["mean"], axes=[0], keepdims=1),
        node("Mul", ["mean", "half"], ["some"]),
        node("Sub", ["rows", "some"], ["embedding"]),
    ]
    network = FaceNetwork(save(nodes, constants=[W, constant(np.float32(0.5), "half")]), EIGHT)
    np.testing.assert_allclose(network(CROPS), expected(), atol=1e-5)


def several(names=("embedding", "landmarks")):
    nodes = [*product(made=names[0]), node("Identity", ["flat"], [names[1]])]
    outputs = [value(names[0], ["n", 6]), value(names[1], ["n", 192])]
    return {"nodes": nodes, "outputs": outputs, "constants": [W]}


def test_of_several_outputs_the_embedding_has_to_be_named(save):
    path = save(**several(("landmarks", "embedding")))
    message = r"expected one output.*landmarks \(n x 6, tensor\(float\)\), embedding \(n x 192"
    with pytest.raises(InputError, match=message):
        FaceNetwork(path, EIGHT)
    assert FaceNetwork(path, Description(side=SIDE, output="embedding"))(CROPS).shape == (5, 192)
    with pytest.raises(InputError, match="no output 'x'; its outputs are landmarks"):
        FaceNetwork(path, Description(side=SIDE, output="x"))


def filled(number, like="flat"):
    """Rows of one number, whatever the picture."""
    return [
        node("Flatten", ["data"], ["flat"], axis=1),
        node("Mul", [like, "nought"], ["zeros"]),
        node("Add", ["zeros", "number"], ["embedding"]),
    ], [constant(np.float32(0), "nought"), constant(np.float32(number), "number")]


REFUSED = {
    "NaN": (*filled(np.nan), {}, "it gives NaN or infinite values"),
    "infinity": (*filled(np.inf), {}, "it gives NaN or infinite values"),
    "zeros": (*filled(0), {}, "it gives zeros alone"),
    "a constant": (*filled(3), {}, "it gives the same embedding for another"),
    "seven rows for one": (
        [node("Reshape", ["data", "s"], ["embedding"])],
        [constant(np.array([-1, 24], np.int64), "s")],
        {},
        "it gives an array of shape 8 x 24, expected 1 x d",
    ),
    "a map of features": (
        [node("Identity", ["data"], ["embedding"])],
        [],
        {"outputs": [value("embedding", ["n", 3, SIDE, SIDE])]},
        "array of shape 1 x 3 x 8 x 8, expected 1 x d",
    ),
    "one number": (
        [node("ReduceMean", ["data"], ["embedding"], axes=[2, 3, 1], keepdims=0)],
        [],
        {"outputs": [value("embedding", ["n"])]},
        "array of shape 1, expected 1 x d",
    ),
    "text": (
        [*product(made="r"), node("Cast", ["r"], ["embedding"], to=TensorProto.STRING)],
        [W],
        {"outputs": [value("embedding", ["n", 6], TensorProto.STRING)]},
        r"output 'embedding': expected real numbers, found tensor\(string\)",
    ),
    "bytes": (
        [*product(made="r"), node("Cast", ["r"], ["embedding"], to=TensorProto.INT8)],
        [W],
        {"outputs": [value("embedding", ["n", 6], TensorProto.INT8)]},
        r"expected real numbers, found tensor\(int8\)",
    ),
    "two inputs": (
        [node("Add", ["data", "more"], ["both"]), *product("both")],
        [W],
        {"inputs": [value(n, ["n", 3, SIDE, SIDE]) for n in ("data", "more")]},
        "expected one input, the crops, found data, more",
    ),
    "no input": (
        [node("Identity", ["w"], ["embedding"])],
        [W],
        {"inputs": []},
        "expected one input, the crops, found none",
    ),
    "channels last": (
        [node("Flatten", ["data"], ["embedding"], axis=1)],
        [],
        {"inputs": [value("data", ["n", "h", "w", 3])]},
        "expected an input of shape n x 3 x 8 x 8, found n x h x w x 3",
    ),
    "whole numbers of 64 bits": (
        CAST_IN,
        [W],
        {"inputs": [value("data", ["n", 3, SIDE, SIDE], TensorProto.INT64)]},
        r"expected an input of real numbers, found tensor\(int64\)",
    ),
    "another size within": (
        [node("Flatten", ["data"], ["flat"], axis=1), node("MatMul", ["flat", "v"], ["embedding"])],
        [constant(WEIGHT[:-1], "v")],
        {"inputs": [value("data", ["n", "c", "h", "w"])]},
        "given a picture, onnxruntime: ",
    ),
    "four gigabytes": (
        [
            node("Flatten", ["data"], ["flat"], axis=1),
            node("ReduceSum", ["flat", "axes"], ["sum"], keepdims=1),
            node("Expand", ["sum", "shape"], ["embedding"]),
        ],
        [
            constant(np.array([1], np.int64), "axes"),
            constant(np.array([1, 1 << 30], np.int64), "shape"),
        ],
        {},
        "given a picture, onnxruntime: ",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_network_that_gives_no_embedding_is_refused_before_a_photograph_is_read(case, save):
    nodes, constants, parts, message = REFUSED[case]
    path = save(nodes, constants=constants, **parts)
    with pytest.raises(InputError, match=rf"n\.onnx: .*{message}"):
        FaceNetwork(path, EIGHT)


def test_no_output_at_all_is_refused(save):
    with pytest.raises(InputError, match=r"n\.onnx: "):
        FaceNetwork(save(product(), outputs=[], constants=[W]), EIGHT)


def test_pixels_of_eight_bits_cannot_be_scaled(save):
    path = save(
        CAST_IN, inputs=[value("data", ["n", 3, SIDE, SIDE], TensorProto.UINT8)], constants=[W]
    )
    with pytest.raises(InputError, match="takes pixels as they are, uint8"):
        FaceNetwork(path, Description(side=SIDE, scale=127.5))


def test_a_network_that_never_ends_is_ended(save, monkeypatch):
    monkeypatch.setattr(trial, "_SECONDS", 0.3)
    body = helper.make_graph(
        [node("Identity", ["go"], ["goes"]), node("Add", ["v", "v"], ["more"])],
        "body",
        [value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("v", None)],
        [value("goes", [], TensorProto.BOOL), value("more", None)],
    )
    nodes = [*product(made="r"), node("Loop", ["", "true", "r"], ["embedding"], body=body)]
    path = save(nodes, constants=[W, constant(np.array(1, dtype=bool), "true")])
    with pytest.raises(InputError, match=r"n\.onnx: .* the network took longer than 0\.3 seconds"):
        FaceNetwork(path, EIGHT)


def test_a_photograph_without_an_embedding_is_named(run, save, tmp_path):
    # The logarithm of black is infinite, and finite for all other colours.
    path = save([
        node("ReduceMean", ["data"], ["mean"], axes=[2, 3], keepdims=0),
        node("Log", ["mean"], ["embedding"]),
    ])
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, colour in {"a": (200, 100, 50), "b": (0, 0, 0), "c": (20, 100, 90)}.items():
        Image.new("RGB", (SIDE, SIDE), colour).save(photos / f"{name}.png")
    (tmp_path / "n.json").write_text(json.dumps({"side": SIDE}))
    code, printed, _ = run(
        *("embed", photos, "--aligned", "--model", path, "--network", tmp_path / "n.json"),
        *("--out", tmp_path / "t.parquet", "--json"),
    )
    assert code == 0
    assert list(json.loads(printed)["skipped"]) == ["b.png"]
    assert read_table(tmp_path / "t.parquet").column("image").to_pylist() == ["a.png", "c.png"]


@pytest.fixture
def apart(tmp_path, monkeypatch, save):
    """A network whose weights lie beside it, and others of the same name where we work."""
    for folder, seed in (("net", 1), ("cwd", 2)):
        (tmp_path / folder).mkdir()
        weight = np.random.default_rng(seed).standard_normal(WEIGHT.shape).astype(np.float32)
        options = {"save_as_external_data": True, "location": "w.data", "size_threshold": 0}
        save(product(), constants=[constant(weight, "w")], name=f"{folder}/n.onnx", **options)
    monkeypatch.chdir(tmp_path / "cwd")
    return tmp_path / "net" / "n.onnx"


def test_weights_are_those_beside_the_network(apart):
    rows = FaceNetwork(apart, EIGHT)(CROPS)
    weight = np.random.default_rng(1).standard_normal(WEIGHT.shape).astype(np.float32)
    pixels = np.stack(CROPS).astype(np.float32).transpose(0, 3, 1, 2).reshape(len(CROPS), -1)
    made = pixels @ weight
    np.testing.assert_allclose(rows, made / np.linalg.norm(made, axis=1, keepdims=True), atol=1e-5)


def test_the_digest_is_of_all_files(apart):
    before = FaceNetwork(apart, EIGHT).sha256
    of = lambda path: hashlib.sha256(path.read_bytes()).hexdigest()  # noqa: E731
    lines = f"{of(apart)}\n{of(apart.with_name('w.data'))}  w.data\n"
    assert before == hashlib.sha256(lines.encode()).hexdigest()
    content = bytearray(apart.with_name("w.data").read_bytes())
    content[5] ^= 1
    apart.with_name("w.data").write_bytes(content)
    assert FaceNetwork(apart, EIGHT).sha256 != before
    with pytest.raises(InputError, match=f"expected SHA-256 {before}, found "):
        FaceNetwork(apart, EIGHT, before)


def test_a_resumed_run_does_not_mix_two_networks(apart, run, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(CROPS[0]).save(photos / "a.png")
    (tmp_path / "n.json").write_text(json.dumps({"side": SIDE}))
    command = ["embed", photos, "--aligned", "--model", apart, "--network", tmp_path / "n.json"]
    assert run(*command, "--out", tmp_path / "one.parquet")[0] == 0
    apart.with_name("w.data").write_bytes((tmp_path / "cwd" / "w.data").read_bytes())
    assert run(*command, "--out", tmp_path / "two.parquet")[0] == 0
    digests = [
        pq.read_schema(tmp_path / f"{name}.parquet").metadata[b"network_sha256"]
        for name in ("one", "two")
    ]
    assert digests[0] != digests[1]


@pytest.mark.parametrize("place", ["../w.data", "/tmp/w.data", "link.data"])
def test_weights_elsewhere_are_refused(place, apart, tmp_path):
    model = onnx.load(apart, load_external_data=False)
    model.graph.initializer[0].external_data[0].value = place
    apart.write_bytes(model.SerializeToString())
    (apart.parent / "link.data").symlink_to(tmp_path / "cwd" / "w.data")
    with pytest.raises(InputError, match=f"weights are said to be in '{place}'; expected them bes"):
        FaceNetwork(apart, EIGHT)


def test_weights_that_are_gone_are_named(apart):
    apart.with_name("w.data").unlink()
    with pytest.raises(InputError, match=r"weights are in 'w\.data', which is not beside it"):
        FaceNetwork(apart, EIGHT)


def test_weights_in_an_attribute_count_too(apart):
    model = onnx.load(apart, load_external_data=False)
    tensor = model.graph.initializer.pop()
    tensor.name = "value"
    model.graph.node.insert(0, node("Constant", [], ["w"], value=tensor))
    apart.write_bytes(model.SerializeToString())
    apart.with_name("w.data").unlink()
    with pytest.raises(InputError, match="which is not beside it"):
        FaceNetwork(apart, EIGHT)


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (os.mkfifo, "no regular file"),
        (os.mkdir, "a folder"),
        (lambda path: None, "no such file"),
    ],
)
def test_what_is_no_file_is_no_network(make, found, tmp_path):
    make(tmp_path / "x.onnx")
    with pytest.raises(InputError, match=rf"x\.onnx: expected an ONNX file, found {found}"):
        FaceNetwork(tmp_path / "x.onnx", EIGHT)
