from itertools import pairwise

import numpy as np
import pytest

from sensitivenets.errors import InputError
from sensitivenets.maps.base import Model
from sensitivenets.maps.kinds import rebuild_map
from sensitivenets.maps.mlp import MLP
from sensitivenets.maps.model_folder import load_model, save_model


def random_mlp(widths, *, normalise=False):
    rng = np.random.default_rng(0)
    shapes = list(pairwise(widths))
    weights = tuple(rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    biases = tuple(rng.standard_normal(shape[1]).astype(np.float32) for shape in shapes)
    return MLP(weights, biases, normalise)


def test_two_layers_by_hand():
    mlp = MLP(
        (np.array([[1, -1]], np.float32), np.array([[2], [10]], np.float32)),
        (np.array([0, 1], np.float32), np.array([0.5], np.float32)),
    )
    # 3 -> relu(3, -2) = (3, 0) -> 6.5;  -2 -> relu(-2, 3) = (0, 3) -> 30.5
    np.testing.assert_array_equal(mlp(np.array([[3.0], [-2.0]])), [[6.5], [30.5]])


@pytest.mark.parametrize("widths", [(5, 3), (5, 7, 3), (5, 7, 6, 3)])
@pytest.mark.parametrize("normalise", [False, True])
def test_rows_one_by_one(widths, normalise):
    mlp = random_mlp(widths, normalise=normalise)
    X = np.random.default_rng(1).standard_normal((9000, 5))
    for row, out in zip(X[4090:4100], mlp(X)[4090:4100], strict=True):
        for k, (weight, bias) in enumerate(zip(mlp.weights, mlp.biases, strict=True)):
            row = row @ weight + bias if k == 0 else np.maximum(row, 0) @ weight + bias
        np.testing.assert_allclose(out, row / (np.linalg.norm(row) if normalise else 1), rtol=1e-10)
    assert (mlp.n_features_in, mlp.n_features_out) == (5, 3)


def test_the_input_keeps_its_type_and_its_values():
    mlp = random_mlp((5, 7, 3), normalise=True)
    for dtype in (np.float32, np.float64):
        X = np.random.default_rng(1).standard_normal((4, 5)).astype(dtype)
        before = X.copy()
        assert mlp(X).dtype == dtype
        np.testing.assert_array_equal(X, before)
    assert mlp(np.empty((0, 5))).shape == (0, 3)


def test_a_row_that_becomes_zero_stays_zero():
    mlp = MLP((np.zeros((2, 3), np.float32),), (np.zeros(3, np.float32),), True)
    np.testing.assert_array_equal(mlp(np.ones((1, 2))), np.zeros((1, 3)))


@pytest.mark.parametrize("normalise", [False, True])
def test_a_saved_map_is_the_map(tmp_path, normalise):
    mlp = random_mlp((5, 7, 3), normalise=normalise)
    save_model(Model(mlp, "FaRM", {}, {"gender": ("f", "m")}), tmp_path / "model")
    X = np.random.default_rng(1).standard_normal((4, 5))
    np.testing.assert_array_equal(load_model(tmp_path / "model").map(X), mlp(X))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_0": None}, "expected arrays"),
        ({"normalise": None}, "expected arrays"),
        ({"weight_2": np.ones((3, 3))}, "expected arrays"),
        (
            {"bias_1": np.ones(4)},
            r"'bias_1': expected shape \(k,\) with k = 3 as in .*found \(4,\)",
        ),
        ({"weight_1": np.ones((6, 3))}, r"'weight_1': expected shape \(h1, k\) with h1 = 7"),
        ({"weight_1": np.ones(3)}, r"'weight_1': expected shape \(h1, k\)"),
        ({"normalise": np.array([0.5], np.float32)}, r"one number, 0 or 1; found 0.5"),
        ({"normalise": np.ones(2)}, r"'normalise': expected shape \(1,\), found \(2,\)"),
    ],
)
def test_damaged_arrays_are_refused(change, message):
    arrays = random_mlp((5, 7, 3)).arrays() | change
    with pytest.raises(InputError, match=message):
        rebuild_map("mlp", {name: a for name, a in arrays.items() if a is not None})


def test_no_arrays_are_refused():
    with pytest.raises(InputError, match="expected arrays"):
        MLP.from_arrays({})


def test_rows_of_another_width_are_refused():
    with pytest.raises(InputError, match="expected embeddings of 5 features"):
        random_mlp((5, 3))(np.ones((2, 4)))
