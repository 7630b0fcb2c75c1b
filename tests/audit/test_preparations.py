import numpy as np
import pytest

from sensitivenets.audit.preparations import PCAWhitening, prepare, rounding_of


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return (rng.standard_normal((300, 6)) @ rng.standard_normal((6, 6))).astype(np.float32)


def test_whitened_training_rows_have_unit_covariance(rows):
    white = prepare(rows, 200).by_name["whitened"].rotated[:200].astype(float)
    covariance = np.cov(white[:, :6].T, bias=True)
    np.testing.assert_allclose(covariance, np.eye(6), atol=1e-4)


def test_scales_come_from_the_training_rows_alone(rows):
    other = rows.copy()
    other[200:] *= 100
    first, second = prepare(rows, 200), prepare(other, 200)
    for name in ("standardised", "whitened"):
        np.testing.assert_array_equal(
            first.by_name[name].coordinates[:200], second.by_name[name].coordinates[:200]
        )


def test_the_rotated_view_keeps_all_distances(rows):
    wide = rows @ np.random.default_rng(1).standard_normal((6, 40)).astype(np.float32)
    prepared = prepare(wide, 200)
    assert prepared.rank == 6
    for name in ("raw", "l2", "standardised"):
        a, b = prepared.by_name[name].coordinates, prepared.by_name[name].rotated
        assert b.shape[1] <= 7 < a.shape[1]
        gaps = [np.linalg.norm(x[:50, None] - x[None, 50:100], axis=2) for x in (a, b)]
        np.testing.assert_allclose(gaps[0], gaps[1], rtol=1e-3)


def test_whitening_undoes_an_anisotropic_squeeze(rows):
    squeezed = rows * np.float32(10) ** -np.arange(6).astype(np.float32)
    a = prepare(rows, 200).by_name["whitened"].rotated[:, :6].astype(float)
    b = prepare(squeezed, 200).by_name["whitened"].rotated[:, :6].astype(float)
    # Equal up to a rotation: the Gram matrices agree.
    np.testing.assert_allclose(a @ a.T, b @ b.T, atol=2e-2)


def test_unit_rows_leave_l2_out_and_the_norm_is_a_feature_otherwise(rows):
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    prepared = prepare(unit, 200)
    assert "l2" not in prepared.by_name
    assert "unit rows: raw and l2 are the same, l2 left out" in prepared.notes
    norm = np.linalg.norm(rows.astype(float), axis=1)
    last = prepare(rows, 200).by_name["standardised"].coordinates[:, -1]
    np.testing.assert_allclose(last, (norm - norm[:200].mean()) / norm[:200].std(), rtol=1e-4)


def test_constant_and_deficient_tables_are_named(rows):
    constant = prepare(np.full((10, 4), 0.3, dtype=np.float32), 6)
    assert constant.by_name == {}
    assert constant.notes == ("constant: all training rows are equal up to rounding",)
    padded = np.hstack([rows, rows[:, :2], np.ones((300, 1), np.float32)])
    assert prepare(padded, 200).notes == (
        "1 of 9 features are constant",
        "rank-deficient: 6 directions in 8 features",
    )


def test_many_directions_of_piled_up_rounding_become_the_residue():
    rng = np.random.default_rng(0)
    wide = rng.standard_normal((600, 10)).astype(np.float32)
    for _ in range(3):
        weights = rng.standard_normal((wide.shape[1], 300)).astype(np.float32)
        wide = wide @ weights / np.float32(17)
    prepared = prepare(wide, 500)
    assert prepared.rank == 10
    assert 16 < prepared.by_name["residue"].rotated.shape[1] <= 290
    assert prepared.by_name["whitened"].rotated.shape[1] == 11  # and the norm


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rounding_is_that_of_the_stored_numbers(dtype):
    stored = np.random.default_rng(0).standard_normal((20, 3)).astype(dtype)
    assert rounding_of(stored.astype(np.float64)) == np.finfo(dtype).eps


def test_a_fitted_whitening_equals_the_preparation(rows):
    whitening = PCAWhitening.fit(rows[:200])
    expected = prepare(rows, 200).by_name["whitened"].rotated[:, :6]
    np.testing.assert_allclose(whitening(rows), expected, atol=1e-4)
