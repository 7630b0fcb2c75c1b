import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from sensitivenets.erasers.linear.leace import LEACE
from sensitivenets.erasers.linear.sal import SAL
from sensitivenets.errors import InputError


@pytest.fixture(scope="module")
def leaky():
    rng = np.random.default_rng(0)
    gender, ethnicity = rng.integers(2, size=900), rng.integers(3, size=900)
    X = rng.standard_normal((900, 8)) @ rng.standard_normal((8, 8))
    X += np.outer(gender, rng.standard_normal(8)) * 2 + rng.standard_normal((3, 8))[ethnicity] * 2
    return X.astype(np.float32), {"gender": gender, "ethnicity": ethnicity}


def labels(attributes):
    return np.concatenate([np.eye(c.max() + 1)[c] for c in attributes.values()], axis=1)


@pytest.mark.parametrize("n_directions", [1, 2, None])
def test_it_drops_the_first_left_singular_vectors(leaky, n_directions):
    X, attributes = leaky
    model = SAL(n_directions=n_directions).fit(X, sensitive=attributes).model_
    cross = np.cov(X.astype(np.float64).T, labels(attributes).T)[:8, 8:]
    U, sigma, _ = np.linalg.svd(cross, full_matrices=False)
    U = U[:, : n_directions or 3]
    mean = X.mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(model.map(X), X - (X - mean) @ U @ U.T, atol=1e-4)
    np.testing.assert_allclose([r["covariance"] for r in model.curve][:3], sigma[:3], rtol=1e-4)
    assert sum(r["kept"] for r in model.curve) == U.shape[1]


def test_linear_attackers_read_the_attributes_before_and_nothing_after(leaky):
    X, attributes = leaky
    hidden = SAL().fit_transform(X, sensitive=attributes)
    for codes in attributes.values():
        before, after = (
            balanced_accuracy_score(
                codes, LogisticRegression(max_iter=2000).fit(rows, codes).predict(rows)
            )
            for rows in (X, hidden)
        )
        assert before > 0.6
        assert after == 1 / (codes.max() + 1)


def test_the_edit_is_larger_than_that_of_leace(leaky):
    X, attributes = leaky
    edits = [
        np.square(eraser.fit_transform(X, sensitive=attributes) - X).sum()
        for eraser in (SAL(), LEACE(covariance_rows=None, shrinkage=False))
    ]
    assert edits[0] > edits[1]


def test_batches_are_the_whole(leaky):
    X, attributes = leaky
    parts = SAL()
    for rows in np.array_split(np.arange(900), 4):
        parts.partial_fit(X[rows], sensitive={k: v[rows] for k, v in attributes.items()})
    whole = SAL().fit(X, sensitive=attributes)
    np.testing.assert_allclose(parts.transform(X), whole.transform(X), atol=1e-4)


def test_parameters_are_checked(leaky):
    with pytest.raises(InputError, match="n_directions: expected an integer of at least 1"):
        SAL(n_directions=0).fit(leaky[0], sensitive=leaky[1])
