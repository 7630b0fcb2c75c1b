import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from sensitivenets.erasers.linear.inlp import INLP
from sensitivenets.errors import CollapseWarning, DetectorWarning, InputError


@pytest.fixture(scope="module")
def leaky():
    rng = np.random.default_rng(0)
    gender, ethnicity = rng.integers(2, size=2000), rng.integers(3, size=2000)
    X = rng.standard_normal((2000, 10)) @ rng.standard_normal((10, 10))
    X += np.outer(gender, rng.standard_normal(10)) * 3
    X += rng.standard_normal((3, 10))[ethnicity] * 3
    return X.astype(np.float32), {"gender": gender, "ethnicity": ethnicity}


def reads(X, codes):
    attacker = LogisticRegression(max_iter=2000).fit(X[:1000], codes[:1000])
    return balanced_accuracy_score(codes[1000:], attacker.predict(X[1000:]))


def test_linear_attackers_read_the_attributes_before_and_not_after(leaky):
    X, attributes = leaky
    hidden = INLP(random_state=0).fit_transform(X, sensitive=attributes)
    for codes in attributes.values():
        assert reads(X, codes) > 0.75
        assert reads(hidden, codes) < 1 / (codes.max() + 1) + 0.06


def test_one_iteration_is_the_null_space_of_one_classifier(leaky):
    X, attributes = leaky
    model = INLP(n_iterations=1, random_state=0).fit(X, sensitive=attributes["gender"]).model_
    direction = model.map.read[:, 0]
    naive = LogisticRegression(max_iter=1000, class_weight="balanced").fit(X, attributes["gender"])
    weights = naive.coef_[0] / np.linalg.norm(naive.coef_)
    # The rows held out, and regularisation, make them differ a little.
    assert abs(direction @ weights) > 0.98
    mean = X.mean(axis=0)
    expected = X - np.outer((X - mean) @ direction, direction)
    np.testing.assert_allclose(model.map(X), expected, atol=1e-4)


def test_the_basis_is_orthonormal_and_the_map_a_projection(leaky):
    X, attributes = leaky
    model = INLP(random_state=0).fit(X, sensitive=attributes).model_
    read = model.map.read
    np.testing.assert_allclose(read.T @ read, np.eye(read.shape[1]), atol=1e-5)
    np.testing.assert_allclose(model.map(model.map(X)), model.map(X), atol=1e-4)
    np.testing.assert_allclose(model.map(X).mean(axis=0), X.mean(axis=0), atol=1e-4)
    assert 3 <= read.shape[1] < 10
    assert model.curve[-1]["directions"] == read.shape[1]


def test_attributes_end_at_chance_in_the_curve(leaky):
    X, attributes = leaky
    curve = INLP(random_state=0).fit(X, sensitive=attributes).model_.curve
    for name, codes in attributes.items():
        mine = [r["balanced_accuracy"] for r in curve if r["attribute"] == name]
        assert mine[0] > 0.75
        assert mine[-1] < 1 / (codes.max() + 1) + 0.05


def test_rows_without_a_label_are_left_out(leaky):
    X, attributes = leaky
    gender = attributes["gender"].astype(object)
    gender[1000:] = None
    eraser = INLP(n_iterations=1, random_state=0)
    one = eraser.fit(X, sensitive=gender).model_.map.read
    # Other rows, with the same mean and variance, in the place of those without a label.
    two = eraser.fit(np.concatenate([X[:1000], X[:999:-1]]), sensitive=gender).model_.map.read
    np.testing.assert_allclose(one, two, atol=1e-3)


def test_an_attribute_that_no_line_reads_is_reported():
    X = np.random.default_rng(0).standard_normal((2000, 4)).astype(np.float32)
    xor = (X[:, 0] * X[:, 1] > 0).astype(int)
    with pytest.warns(DetectorWarning, match="nothing is removed for it"):
        hidden = INLP(margin=0.1, random_state=0).fit_transform(X, sensitive=xor)
    np.testing.assert_array_equal(hidden, X)


def test_removing_everything_is_called_collapse():
    rng = np.random.default_rng(0)
    codes = rng.integers(2, size=200)
    X = rng.standard_normal((200, 2)) + 5 * codes[:, None]
    X[:, 1] -= 3 * codes * X[:, 0]
    with pytest.warns(CollapseWarning, match="all 2 directions were removed"):
        INLP(random_state=0).fit(X, sensitive=codes)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_iterations": 0}, "n_iterations: expected an integer of at least 1"),
        ({"margin": -0.1}, "margin: expected a number at least 0.0"),
        ({"validation": 0.0}, "validation: expected a number above 0.0 and at most 0.9"),
        ({"C": 0}, "C: expected a number above 0.0"),
    ],
)
def test_parameters_are_checked(leaky, parameters, message):
    with pytest.raises(InputError, match=message):
        INLP(**parameters).fit(leaky[0], sensitive=leaky[1])


def test_equal_rows_are_refused():
    with pytest.raises(InputError, match="expected rows that differ, found 6 equal ones"):
        INLP().fit(np.ones((6, 3)), sensitive=[0, 1] * 3)
