import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensitivenets.embeddings.rows import normalise_rows
from sensitivenets.errors import InputError
from sensitivenets.maps.projection import Projection


def naive(X, weight, bias):
    rows = [x @ weight + bias for x in X]
    return np.array([row / np.linalg.norm(row) for row in rows])


@pytest.fixture
def phi():
    rng = np.random.default_rng(0)
    return Projection(
        rng.standard_normal((5, 3)).astype(np.float32), rng.standard_normal(3).astype(np.float32)
    )


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_it_is_a_product_and_a_normalisation_row_by_row(phi, set_block_rows, dtype, rtol):
    set_block_rows(4)
    X = np.random.default_rng(1).standard_normal((10, 5)).astype(dtype)
    mapped = phi(X)
    assert mapped.dtype == dtype
    np.testing.assert_allclose(mapped, naive(X, phi.weight, phi.bias), rtol=rtol)


def test_a_hand_computed_case():
    phi = Projection(np.array([[3.0, 0.0], [0.0, 2.0]], np.float32), np.array([0.0, 2.0]))
    np.testing.assert_allclose(phi(np.array([[1.0, 1.0], [0.0, 0.0]])), [[0.6, 0.8], [0.0, 1.0]])


def test_any_split_into_batches_gives_the_whole(phi):
    X = np.random.default_rng(1).standard_normal((9, 5)).astype(np.float32)
    whole = phi(X)
    parts = np.concatenate([phi(X[:4]), phi(X[4:8]), phi(X[8:])])
    np.testing.assert_allclose(parts, whole, rtol=1e-6)


def test_the_input_is_neither_changed_nor_copied_and_out_is_used(phi):
    X = np.random.default_rng(1).standard_normal((4, 5)).astype(np.float32)
    before = X.copy()
    X.flags.writeable = False
    out = np.empty((4, 3), dtype=np.float32)
    assert phi(X, out=out) is out
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(out, phi(X))


def test_a_row_that_becomes_zero_stays_zero():
    phi = Projection(np.array([[1.0], [0.0]], np.float32))
    np.testing.assert_array_equal(phi(np.array([[0.0, 1.0], [2.0, 1.0]])), [[0.0], [1.0]])


def test_the_scale_of_a_row_does_not_matter_without_a_bias(phi):
    X = np.random.default_rng(1).standard_normal((4, 5))
    linear = Projection(phi.weight)
    np.testing.assert_allclose(linear(7 * X), linear(X), rtol=1e-12)


@given(st.floats(1e-10, 1e10), st.integers(1, 6))
def test_normalised_rows_have_unit_length(scale, n_features):
    rows = scale * np.random.default_rng(n_features).standard_normal((3, n_features))
    normalise_rows(rows)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize("shape", [(4, 6), (5,), (2, 5, 5)])
def test_other_features_are_refused(phi, shape):
    with pytest.raises(InputError, match="expected embeddings of 5 features, found an array of sh"):
        phi(np.ones(shape, dtype=np.float32))


def test_integers_are_refused(phi):
    with pytest.raises(InputError, match="expected floating-point embeddings, found int64"):
        phi(np.ones((2, 5), dtype=np.int64))


@pytest.mark.parametrize("bias", [True, False])
def test_arrays_round_trip(phi, bias):
    phi = phi if bias else Projection(phi.weight)
    assert set(phi.arrays()) == ({"weight", "bias"} if bias else {"weight"})
    again = Projection.from_arrays(phi.arrays())
    assert again.weight is phi.weight
    assert again.bias is phi.bias
    assert (again.n_features_in, again.n_features_out) == (5, 3)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, r"expected arrays bias \(optional\), weight; found none"),
        ({"weight": np.ones((2, 2)), "scale": np.ones(2)}, "found scale, weight"),
        ({"weight": np.ones(2)}, r"'weight': expected shape \(d, k\), found \(2,\)"),
        (
            {"weight": np.ones((2, 3)), "bias": np.ones(2)},
            r"'bias': expected shape \(k,\) with k = 3 .*, found \(2,\)",
        ),
    ],
)
def test_other_arrays_are_refused(arrays, message):
    with pytest.raises(InputError, match=message):
        Projection.from_arrays(arrays)
