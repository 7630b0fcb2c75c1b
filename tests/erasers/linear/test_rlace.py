import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from sensitivenets.embeddings import encode
from sensitivenets.erasers.linear.linear_attacker import centred_rows
from sensitivenets.erasers.linear.rlace import RLACE, _Classifiers
from sensitivenets.erasers.linear.sal import SAL
from sensitivenets.errors import InputError


@pytest.fixture(scope="module")
def leaky():
    rng = np.random.default_rng(0)
    gender, ethnicity = rng.integers(2, size=800), rng.integers(3, size=800)
    X = rng.standard_normal((800, 6))
    X += np.outer(gender, rng.standard_normal(6)) * 1.5
    X += rng.standard_normal((3, 6))[ethnicity] * 1.5
    return X.astype(np.float32), {"gender": gender, "ethnicity": ethnicity}


def reads(X, codes):
    attacker = LogisticRegression(max_iter=2000, class_weight="balanced").fit(X, codes)
    return balanced_accuracy_score(codes, attacker.predict(X))


@pytest.mark.parametrize("init", ["class_means", "random"])
def test_one_direction_hides_two_classes_from_linear_attackers(leaky, init):
    X, attributes = leaky
    gender = attributes["gender"]
    hidden = RLACE(n_components=1, init=init, random_state=0).fit_transform(X, sensitive=gender)
    assert reads(X, gender) > 0.7
    assert reads(hidden, gender) < 0.53


def test_a_random_start_finds_the_class_means(leaky):
    X, attributes = leaky
    model = (
        RLACE(init="random", n_steps=20, random_state=1)
        .fit(X, sensitive=attributes["gender"])
        .model_
    )
    sal = SAL().fit(X, sensitive=attributes["gender"]).model_
    assert abs(model.map.read[:, 0] @ sal.map.read[:, 0]) > 0.98


def test_with_enough_directions_the_start_is_the_end(leaky):
    X, attributes = leaky
    rlace = RLACE(random_state=0, margin=0.01).fit(X, sensitive=attributes)
    np.testing.assert_allclose(
        rlace.transform(X), SAL().fit_transform(X, sensitive=attributes), atol=1e-4
    )
    assert len(rlace.model_.curve) == 1
    assert rlace.model_.curve[0]["loss"] == pytest.approx(1, abs=1e-3)


def test_too_few_directions_are_chosen_better_than_by_covariance(leaky):
    X, attributes = leaky
    curve = RLACE(n_components=1, n_steps=8).fit(X, sensitive=attributes).model_.curve
    accepted = [record["loss"] for record in curve if record["accepted"]]
    assert accepted == sorted(accepted)
    assert accepted[-1] > accepted[0] + 0.01
    assert accepted[-1] < 1


def test_the_gradient_is_that_of_the_best_response(leaky):
    X, attributes = leaky
    rows = centred_rows(X[:200, :4].astype(np.float64))[0]
    labels = {name: encode(name, codes[:200]) for name, codes in attributes.items()}
    # Weak regularisation: the best response is then that of the log loss itself.
    classifiers = _Classifiers(rows, labels, C=1e6)
    for _, _, attacker in classifiers._parts:
        attacker.set_params(tol=1e-10, max_iter=5000)
    basis = np.linalg.qr(np.random.default_rng(2).standard_normal((4, 2)))[0]

    def loss(turn):
        return classifiers.best_response(np.linalg.qr(basis + turn.reshape(4, 2))[0]).loss

    numeric = approx_fprime(np.zeros(8), loss, 1e-3).reshape(4, 2)
    gradient = classifiers.best_response(basis).gradient
    tangent = gradient - basis @ (basis.T @ gradient)
    np.testing.assert_allclose(tangent, numeric, atol=5e-3)
    assert np.abs(tangent).max() > 0.05


def test_the_map_is_an_orthogonal_projection(leaky):
    X, attributes = leaky
    model = RLACE(n_components=2, n_steps=5, random_state=0).fit(X, sensitive=attributes).model_
    read = model.map.read
    np.testing.assert_allclose(read.T @ read, np.eye(2), atol=1e-5)
    np.testing.assert_array_equal(model.map.write, read.T)
    np.testing.assert_allclose(model.map(X).mean(axis=0), X.mean(axis=0), atol=1e-4)


def test_rows_without_a_label_are_left_out(leaky):
    X, attributes = leaky
    gender = attributes["gender"].astype(object)
    gender[500:] = None
    some = RLACE(random_state=0).fit_transform(X, sensitive=gender)
    first = RLACE(random_state=0).fit(X[:500], sensitive=gender[:500])
    direction = first.model_.map.read[:, 0]
    assert np.abs((some - X) - np.outer((some - X) @ direction, direction)).max() < 1e-4


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 0}, "n_components: expected an integer of at least 1"),
        ({"n_components": 6}, "n_components: expected fewer than n_features = 6, found 6"),
        ({"n_steps": -1}, "n_steps: expected an integer of at least 0"),
        ({"init": "zero"}, "init: expected one of 'class_means', 'random'; found 'zero'"),
        ({"C": 0}, "C: expected a number above 0.0"),
    ],
)
def test_parameters_are_checked(leaky, parameters, message):
    with pytest.raises(InputError, match=message):
        RLACE(**parameters).fit(leaky[0], sensitive=leaky[1])
