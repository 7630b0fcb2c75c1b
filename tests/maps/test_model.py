"""What a person has in hand: a model or an estimator, and rows of any kind."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from sensitivenets.erasers.linear.leace import LEACE
from sensitivenets.errors import InputError
from sensitivenets.maps.base import map_of, model_of
from sensitivenets.maps.model_folder import load_model, save_model

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 5)).astype(np.float32)
GENDER = np.array(["f", "m"])[(X[:, 0] > 0).astype(int)]


@pytest.fixture(scope="module")
def eraser():
    return LEACE().fit(X, sensitive={"gender": GENDER})


@pytest.mark.parametrize("rows", [X, X.astype(np.float64), X[:0]])
def test_a_model_maps_rows_as_its_estimator_does(eraser, rows):
    found = eraser.model_.transform(rows)
    assert found.dtype == rows.dtype
    np.testing.assert_array_equal(found, eraser.model_.map(rows))
    if len(rows):
        np.testing.assert_array_equal(found, eraser.transform(rows))


@pytest.mark.parametrize(
    "rows", [X.tolist(), X.astype(object), X.astype(np.float16), np.ones((2, 5), int).tolist()]
)
def test_what_can_be_read_as_numbers_is_mapped_in_double_precision(eraser, rows):
    found = eraser.model_.transform(rows)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, eraser.transform(rows))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (X[:, :4], r"expected embeddings of 5 features, found an array of shape \(60, 4\)"),
        (X[0], "expected embeddings of 5 features"),
        (np.where(np.arange(60)[:, None] == 7, np.nan, X), r"X, row 7: NaN .*\(1 such rows of 60"),
        (np.full((2, 5), "a"), "X: expected numbers, found <U1"),
        (np.full((2, 5), "a", object), "X: expected a matrix of numbers; could not convert"),
        (X + 0j, "X: expected numbers, found complex"),
        ([[1.0], [1.0, 2.0]], "X: expected a matrix of numbers"),
    ],
)
def test_other_rows_are_refused(eraser, rows, message):
    with pytest.raises(InputError, match=message):
        eraser.model_.transform(rows)


def test_rows_whose_squares_overflow_are_rows(eraser):
    assert np.isfinite(eraser.model_.transform(np.full((1, 5), 1e200))).all()


def test_an_estimator_is_saved_as_its_model_is(eraser, tmp_path):
    save_model(eraser, tmp_path / "a")
    save_model(eraser.model_, tmp_path / "b")
    for name in ("model.safetensors", "config.json", "README.md"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert load_model(tmp_path / "a").method == "LEACE"


def test_the_map_of_each_is_the_same(eraser):
    assert map_of(eraser) is map_of(eraser.model_) is map_of(eraser.model_.map)


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (LEACE(), "expected a fitted estimator, found LEACE without a model_: call fit first"),
        (StandardScaler().fit(X), "found StandardScaler without a model_: .* another library"),
        (LEACE, "expected a Model or a fitted estimator, found the class LEACE"),
        (X, "expected a Model or a fitted estimator, found ndarray"),
        (None, "expected a Model or a fitted estimator, found NoneType"),
    ],
)
def test_what_has_no_model_is_refused(thing, message, tmp_path):
    for use in (model_of, map_of, lambda thing: save_model(thing, tmp_path / "m")):
        with pytest.raises(InputError, match=message):
            use(thing)
    assert not list(tmp_path.iterdir())
