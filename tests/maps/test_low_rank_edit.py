import numpy as np
import pytest

from sensitivenets.maps.affine import LowRankEdit


def edit(rank):
    rng = np.random.default_rng(0)
    shapes = ((12, rank), (rank,), (rank, 12))
    return LowRankEdit(*(rng.standard_normal(shape).astype(np.float32) for shape in shapes))


@pytest.mark.parametrize("rank", [0, 1, 2, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_rows", [0, 1, 512, 1300, 9000])
def test_it_is_the_formula(rank, dtype, n_rows):
    X = np.random.default_rng(1).standard_normal((n_rows, 12)).astype(dtype)
    before = X.copy()
    one = edit(rank)
    expected = X - (X @ one.read - one.offset) @ one.write
    out = one(X)
    assert out.dtype == dtype
    np.testing.assert_allclose(out, expected, atol=1e-4)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("n_rows", [1300, 9000])
def test_rows_may_be_edited_in_place(rank, n_rows):
    X = np.random.default_rng(1).standard_normal((n_rows, 12)).astype(np.float32)
    expected = edit(rank)(X)
    assert edit(rank)(X, X) is X
    np.testing.assert_array_equal(X, expected)


def test_rows_need_not_be_contiguous():
    X = np.random.default_rng(1).standard_normal((40, 24)).astype(np.float32)
    np.testing.assert_allclose(edit(1)(X[:, ::2]), edit(1)(X[:, ::2].copy()), atol=1e-5)
