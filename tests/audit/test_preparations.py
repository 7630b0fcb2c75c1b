import numpy as np
import pytest

from sensitivenets.audit.preparations import PCAWhitening, prepare
from sensitivenets.embeddings.rows import Reach, near_rows, rounding_of


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


def broken_row(rows):
    rows[7] *= 1e9


def broken_value(rows):
    rows[7, 3] = 1e12


def three_percent_of_another_scale(rows):
    rows[::33] *= 1e6


BROKEN = (broken_row, broken_value, three_percent_of_another_scale)


@pytest.mark.parametrize("breaks", BROKEN, ids=lambda breaks: breaks.__name__)
@pytest.mark.parametrize("name", ["standardised", "whitened"])
def test_broken_training_rows_do_not_hide_the_others(rows, breaks, name):
    broken = rows.copy()
    breaks(broken)
    whole = np.all(broken == rows, axis=1)
    prepared = prepare(broken, 200)
    n_train = int(whole[:200].sum())
    expected = prepare(rows[whole], n_train).by_name[name].coordinates
    found = prepared.by_name[name].coordinates
    gaps = [x @ x.T for x in (expected.astype(float), found[whole].astype(float))]
    np.testing.assert_allclose(gaps[1], gaps[0], rtol=0.02, atol=0.05)
    assert np.abs(found).max() < 1000
    assert any(note.startswith(f"{200 - n_train} of 200 training rows") for note in prepared.notes)


@pytest.mark.parametrize("off", [[7], range(0, 300, 5)], ids=["one row", "a fifth"])
def test_rows_off_a_narrow_direction_do_not_hide_the_others(rows, off):
    """None of their features is larger than of others, and all rows together are not narrow."""
    turned = np.linalg.qr(np.random.default_rng(1).standard_normal((6, 6)))[0]
    squeezed = (rows * [1e-5, 1, 1, 1, 1, 1]) @ turned
    table, on = squeezed.copy(), np.ones(300, dtype=bool)
    table[off], on[off] = rows[off], False
    n_train = int(on[:200].sum())
    expected = prepare(squeezed[on], n_train).by_name["whitened"].rotated.astype(float)
    prepared = prepare(table, 200)
    found = prepared.by_name["whitened"].rotated.astype(float)[on]
    gaps = [x[:, :6] @ x[:, :6].T for x in (expected, found)]
    np.testing.assert_allclose(gaps[1], gaps[0], rtol=0.02, atol=0.05)
    assert any(note.startswith(f"{200 - n_train} of 200 training rows") for note in prepared.notes)


@pytest.mark.parametrize("share", np.linspace(0.05, 0.995, 25))
def test_rectified_and_sparse_features_have_nothing_far_out(share):
    """However many zeros there are: next to zero, which few values are, is no scale."""
    rng = np.random.default_rng(0)
    normal = rng.standard_normal((4000, 40))
    rectified = np.maximum(normal - np.quantile(normal, share), 0)
    sparse = np.where(rng.random(normal.shape) < share, 0, normal)
    for table in (rectified, sparse):
        assert near_rows(table, 3000).mean() > 0.99
        assert prepare(table + 1e-3, 3000).reasons == ()


def test_values_far_out_keep_their_order_and_others_their_value(rows):
    reach = Reach.of(rows, rounding_of(rows))
    values = np.sort(
        np.concatenate([rows[:, 0], 10.0 ** np.arange(2, 15), -(10.0 ** np.arange(2, 15))])
    )
    drawn = reach.drawn_in(np.repeat(values[:, None], 6, axis=1))[:, 0]
    assert (np.diff(drawn) > 0).all()
    assert drawn[-1] < 100 * reach.width[0]
    assert reach.drawn_in(rows) is rows


def test_a_fitted_whitening_draws_in_as_the_preparation_does(rows):
    broken_row(rows)
    whitening = PCAWhitening.fit(rows[:200])
    expected = prepare(rows, 200).by_name["whitened"].rotated[:, :6]
    np.testing.assert_allclose(whitening(rows), expected, atol=1e-3)


def most_of_another_scale(rows):
    rows[:120] *= 1e5


def each_far_in_a_way_of_its_own(rows):
    rows[np.arange(150), np.arange(150) % 6] += 1e5


@pytest.mark.parametrize("spoils", [most_of_another_scale, each_far_in_a_way_of_its_own])
def test_rows_most_of_which_are_far_out_are_no_measurement(rows, spoils):
    assert prepare(rows, 200).reasons == ()
    spoils(rows)
    [reason] = prepare(rows, 200).reasons
    assert reason.startswith("most training rows lie so far from the others, or each from all")
