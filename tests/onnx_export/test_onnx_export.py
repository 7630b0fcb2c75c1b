import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from sensitivenets.codes import CodeKey, CodeParameters, code_of_key
from sensitivenets.datasets.synthetic import synthetic_diveface
from sensitivenets.embeddings import read_table
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.errors import InputError
from sensitivenets.maps.affine import Affine, LowRankEdit
from sensitivenets.maps.chain import Chain
from sensitivenets.maps.feature_selection import FeatureSelection
from sensitivenets.maps.fourier import FourierProjection
from sensitivenets.maps.kinds import KINDS
from sensitivenets.maps.mlp import MLP
from sensitivenets.maps.model_folder import save_model
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


def network(n_features=D, opset=11, n_outputs=1):
    """A network of one product, whose output is not of unit length."""
    weight = helper.make_tensor(
        "w", TensorProto.FLOAT, [6, n_features], numbers(6, n_features).ravel()
    )
    outputs = [f"out{k}" for k in range(n_outputs)]
    return helper.make_model(
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
    np.testing.assert_allclose(infer(fuse(before, phi), data=data), expected, atol=1e-5 * scale)


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
