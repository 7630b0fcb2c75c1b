import dataclasses
import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from sensitivenets.codes import CodeKey, CodeParameters, code_of_key
from sensitivenets.datasets.synthetic import synthetic_diveface
from sensitivenets.embeddings import read_table
from sensitivenets.erasers.linear.inlp import INLP
from sensitivenets.erasers.linear.leace import LEACE
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.errors import InputError
from sensitivenets.maps.affine import Affine, LowRankEdit
from sensitivenets.maps.base import Model
from sensitivenets.maps.chain import Chain
from sensitivenets.maps.feature_selection import FeatureSelection
from sensitivenets.maps.fourier import FourierProjection
from sensitivenets.maps.kinds import KINDS
from sensitivenets.maps.mlp import MLP
from sensitivenets.maps.model_folder import load_model, save_model
from sensitivenets.maps.projection import Projection
from sensitivenets.maps.universal_code import UniversalCode
from sensitivenets.onnx_export import fuse, to_onnx

RNG = np.random.default_rng(0)
D = 32
TABLE = synthetic_diveface(n_subjects=200, images_per_subject=3, dim=D, random_state=0)


def numbers(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def transport(**parameters):
    eraser = RoutedTransport(random_state=0, **parameters)
    return eraser.fit(TABLE.vectors, sensitive={"gender": TABLE.column("gender")}).model_.map


MAPS = {
    "projection": Projection(numbers(D, 7), numbers(7)),
    "projection without bias": Projection(numbers(D, 7)),
    "affine": Affine(numbers(D, 5), numbers(5)),
    "low-rank edit": LowRankEdit(numbers(D, 3), numbers(3), numbers(3, D)),
    "nothing removed": LowRankEdit(numbers(D, 0), numbers(0), numbers(0, D)),
    "columns": FeatureSelection(np.arange(D) % 3 == 0),
    "network": MLP((numbers(D, 9), numbers(9, 4)), (numbers(9), numbers(4)), normalise=True),
    "fourier": FourierProjection(numbers(D, 20), numbers(20), numbers(20, 6), numbers(6)),
    "chain": Chain((Projection(numbers(D, 8)), Affine(numbers(8, 3), numbers(3)))),
    "routed": transport(n_rounds=2),
    "routed in a subspace": transport(n_rounds=2, rank=3),
    "routed with cells": transport(n_rounds=1, n_cell_rounds=1, n_cells=4),
}


def infer(model, **inputs):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, inputs)[0]


@pytest.mark.parametrize("phi", MAPS.values(), ids=MAPS)
def test_onnxruntime_agrees_with_python(phi):
    X = TABLE.vectors[:100]
    expected = phi(X)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(infer(to_onnx(phi), embedding=X), expected, atol=1e-5 * scale)


@pytest.mark.parametrize("opset", [13, 17, 18, 21])
def test_newer_operator_sets_give_the_same(opset):
    phi, X = MAPS["routed"], TABLE.vectors[:50]
    np.testing.assert_allclose(infer(to_onnx(phi, opset=opset), embedding=X), phi(X), atol=1e-5)


def test_bits_of_a_code_agree_but_for_rounding():
    code = code_of_key(CodeKey.from_seed(0), CodeParameters(D, 256, 1.5))
    X = TABLE.vectors[:100]
    assert np.mean(infer(to_onnx(code), embedding=X) != code(X)) < 1e-3


def test_a_zero_row_stays_zero():
    assert not infer(
        to_onnx(MAPS["projection without bias"]), embedding=np.zeros((2, D), "f4")
    ).any()


def network(n_features=D, opset=11, n_outputs=1, trailing=()):
    """A network of one product, whose output is not of unit length."""
    weight = numpy_helper.from_array(numbers(6, n_features), "w")
    outputs = [f"out{k}" for k in range(n_outputs)]
    if trailing:
        outputs = ["flat"]
    made = helper.make_model(
        helper.make_graph(
            [helper.make_node("MatMul", ["data", "w"], [name]) for name in outputs],
            "network",
            [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["n", 6])],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", n_features])
                for name in outputs
            ],
            [weight],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8,
    )
    if trailing:
        axes = [2 + k for k in range(len(trailing))]
        made.graph.node.append(helper.make_node("Unsqueeze", ["flat"], ["out0"], axes=axes))
        del made.graph.output[:]
        made.graph.output.append(
            helper.make_tensor_value_info("out0", TensorProto.FLOAT, ["n", n_features, *trailing])
        )
    return made


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_one_file_does_what_both_do(opset):
    before, data, phi = network(opset=opset), numbers(40, 6), MAPS["routed"]
    embeddings = infer(before, data=data)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    joined = fuse(before, phi)
    assert [value.name for value in joined.graph.output] == ["agnostic"]
    np.testing.assert_allclose(infer(joined, data=data), phi(embeddings), atol=1e-5)


@pytest.mark.parametrize("phi", MAPS.values(), ids=MAPS)
def test_one_file_for_every_kind_of_map(phi):
    before, data = network(), numbers(40, 6)
    embeddings = infer(before, data=data)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    expected = phi(embeddings)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        infer(fuse(before, phi, normalise=True), data=data), expected, atol=1e-5 * scale
    )


def raw_outputs(network_of, data):
    made = infer(network_of, data=data)
    return made.reshape(len(made), -1)


def erasers():
    return {
        "LEACE": LEACE(random_state=0),
        "INLP": INLP(random_state=0),
        "routed": RoutedTransport(n_rounds=1, random_state=0),
        "routed in a subspace": RoutedTransport(n_rounds=1, rank=3, random_state=0),
    }


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("method", erasers())
@pytest.mark.parametrize("trailing", [(), (1, 1)])
def test_one_file_does_what_transform_does_to_the_rows_that_it_was_fitted_on(
    method, unit, trailing, tmp_path
):
    before, data = network(trailing=trailing), numbers(300, 6)
    rows = raw_outputs(before, data)
    assert np.linalg.norm(rows, axis=1).max() > 3
    if unit:
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = np.where(data[:, 0] + 0.3 * data[:, 1] > 0, "a", "b")
    save_model(erasers()[method].fit(rows, sensitive={"gender": labels}), tmp_path / "model")
    model = load_model(tmp_path / "model")
    expected = model.transform(rows)
    made = infer(fuse(before, model), data=data)
    close = np.abs(made - expected).max(axis=1) < 1e-3 * np.abs(expected).max()
    # A row on the border of two groups may take another way.
    assert close.mean() > 0.99


def test_a_saved_map_of_a_subspace_knows_its_lengths(tmp_path):
    model = erasers()["routed in a subspace"].fit(
        5 * TABLE.vectors, sensitive={"gender": TABLE.column("gender")}
    )
    save_model(model, tmp_path / "model")
    other = (0.1 * TABLE.vectors[:50]).astype(np.float32)
    again = load_model(tmp_path / "model").transform(other)
    np.testing.assert_array_equal(again, model.transform(other))


def test_a_model_that_does_not_say_how_long_its_rows_were_is_not_joined():
    bare = Model(MAPS["affine"], "LEACE", {}, {}, {"primary": {"rows": 5, "features": D}})
    with pytest.raises(InputError, match=r"not recorded, so nobody can tell .* fit again"):
        fuse(network(), bare)
    lengths = {"primary": {"lengths": [3.0, 8.0]}, "detector": {"lengths": [1.0, 1.0]}}
    mixed = dataclasses.replace(bare, fingerprint=lengths)
    with pytest.raises(InputError, match="some of unit length and some not"):
        fuse(network(), mixed)


def test_odd_networks_are_joined_or_refused_in_words():
    phi = MAPS["routed"]
    half = network()
    half.graph.node[0].output[0] = "full"
    half.graph.node.append(helper.make_node("Cast", ["full"], ["out0"], to=TensorProto.FLOAT16))
    half.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    data = numbers(5, 6)
    embeddings = infer(half, data=data).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    np.testing.assert_allclose(infer(fuse(half, phi), data=data), phi(embeddings), atol=1e-4)
    named = network()
    named.graph.node[0].output[0] = named.graph.output[0].name = "embedding"
    assert infer(fuse(named, phi), data=data).shape == (5, D)
    with pytest.raises(InputError, match="has a map of sensitivenets behind it already"):
        fuse(fuse(network(), phi), phi)
    text = network()
    text.graph.output[0].type.tensor_type.elem_type = TensorProto.STRING
    with pytest.raises(InputError, match="expected an output of float32, found string"):
        fuse(text, phi)
    broken = network()
    broken.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(InputError, match="onnx cannot join a map to it"):
        fuse(broken, phi)
    assert network().graph.output[0].name == "out0"


def test_weights_beside_a_network_are_read_from_there(run, tmp_path, monkeypatch):
    save_model(fitted(), tmp_path / "model")
    (tmp_path / "net").mkdir()
    onnx.save(
        network(),
        tmp_path / "net" / "n.onnx",
        save_as_external_data=True,
        location="n.data",
        size_threshold=0,
    )
    arguments = ("export", tmp_path / "model", "--fuse", tmp_path / "net" / "n.onnx", "--out")
    assert run(*arguments, tmp_path / "one.onnx")[0] == 0
    assert infer(onnx.load(tmp_path / "one.onnx"), data=numbers(3, 6)).shape == (3, D)
    (tmp_path / "net" / "n.data").unlink()
    code, _, err = run(*arguments, tmp_path / "two.onnx")
    assert (code, "n.onnx: its weights cannot be read" in err) == (2, True)
    assert "Traceback" not in err


def test_no_kind_of_map_is_left_out():
    # Parts of a chain are tried with it; bits of a code have a test of their own.
    tried = [part for phi in MAPS.values() for part in getattr(phi, "parts", (phi,))]
    assert {type(part) for part in tried} | {UniversalCode} >= set(KINDS.values())


def test_networks_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"expected an output of shape \(n, 32\).* \[0, 16\]"):
        fuse(network(16), MAPS["routed"])
    with pytest.raises(InputError, match="expected one output, the embedding, found 2: out0, out1"):
        fuse(network(n_outputs=2), MAPS["routed"])


def test_a_map_of_another_kind_is_refused():
    with pytest.raises(InputError, match="expected a Model or a fitted estimator, found str"):
        to_onnx("phi")


def test_an_estimator_and_its_model_become_the_file_that_the_map_does(tmp_path):
    eraser = RoutedTransport(n_rounds=1, random_state=0)
    eraser.fit(TABLE.vectors, sensitive={"gender": TABLE.column("gender")})
    expected = to_onnx(eraser.model_.map)
    assert to_onnx(eraser.model_) == expected
    assert fuse(network(), eraser).graph.output == expected.graph.output
    assert to_onnx(eraser, tmp_path / "phi.onnx") == expected
    assert onnx.load(tmp_path / "phi.onnx") == expected
    with pytest.raises(InputError, match=r"expected a name that ends in \.onnx"):
        to_onnx(eraser, tmp_path / "phi.bin")
    with pytest.raises(InputError, match="found RoutedTransport without a model_: call fit first"):
        to_onnx(RoutedTransport(), tmp_path / "other.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["phi.onnx"]


def test_the_command_line_writes_both(run, tmp_path):
    save_model(fitted(), tmp_path / "model")
    code, printed, err = run("export", tmp_path / "model", "--out", tmp_path / "phi.onnx")
    assert (code, err) == (0, "")
    assert printed == f"embedding -> agnostic, {D} features: {tmp_path / 'phi.onnx'}\n"
    onnx.save(network(), tmp_path / "net.onnx")
    arguments = ("export", tmp_path / "model", "--fuse", tmp_path / "net.onnx", "--out")
    assert run(*arguments, tmp_path / "one.onnx")[0] == 0
    assert [v.name for v in onnx.load(tmp_path / "one.onnx").graph.input] == ["data"]
    code, _, err = run(*arguments, tmp_path / "one.onnx")
    assert code == 2
    assert "one.onnx" in err
    (tmp_path / "net.onnx").write_bytes(b"not a network at all")
    code, _, err = run(*arguments, tmp_path / "two.onnx")
    assert (code, "expected an ONNX model" in err) == (2, True)
    assert not (tmp_path / "two.onnx").exists()


def fitted():
    eraser = RoutedTransport(n_rounds=1, random_state=0)
    return eraser.fit(TABLE.vectors, sensitive={"gender": TABLE.column("gender")}).model_


@pytest.mark.skipif(
    "SENSITIVENETS_DATA" not in os.environ, reason="needs SENSITIVENETS_DATA, the real data"
)
def test_a_real_face_network_becomes_agnostic():
    folder = Path(os.environ["SENSITIVENETS_DATA"])
    faces = read_table(folder / "fairface.parquet")
    rows = faces.take(np.arange(4000))
    phi = RoutedTransport(n_rounds=2, random_state=0)
    phi.fit(rows.vectors, sensitive={"gender": rows.column("gender")})
    before = onnx.load(folder / "models" / "mobilefacenet.onnx")
    images = RNG.uniform(0, 255, (4, 3, 112, 112)).astype(np.float32)
    embeddings = infer(before, data=images)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    joined = fuse(before, phi.model_.map)
    np.testing.assert_allclose(infer(joined, data=images), phi.transform(embeddings), atol=1e-5)


@pytest.mark.parametrize("parameters", [{}, {"rank": 8}])
@pytest.mark.parametrize("scale", [1, 20, 0.01])
def test_rows_of_another_scale_go_the_same_way_in_onnx(parameters, scale):
    phi = transport(n_rounds=2, **parameters)
    X = (scale * TABLE.vectors).astype(np.float32)
    session = onnxruntime.InferenceSession(to_onnx(phi).SerializeToString())
    made = session.run(None, {"embedding": X})[0]
    close = np.abs(made - phi(X)).max(axis=1) < 1e-4
    # A row on the border of two groups may take another way.
    assert close.mean() > 0.99
    np.testing.assert_allclose(phi(X), phi(TABLE.vectors), atol=1e-4)


def test_no_route_has_a_name_or_is_an_output():
    made = to_onnx(transport(n_rounds=2))
    assert [value.name for value in made.graph.output] == ["agnostic"]
    named = {name for node in made.graph.node for name in node.output} - {"agnostic"}
    assert all(name.startswith("sensitivenets.") for name in named)
    assert not [name for name in named if any(w in name for w in ("group", "route", "gender"))]
