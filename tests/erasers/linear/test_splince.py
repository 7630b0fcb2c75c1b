import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from sensitivenets.erasers.linear.leace import LEACE
from sensitivenets.erasers.linear.splince import SPLINCE
from sensitivenets.errors import InputError

EXACT = SPLINCE(covariance_rows=None, shrinkage=False)


@pytest.fixture(scope="module")
def biased():
    """A three-class task that goes with gender in two rows of three; both shift the rows."""
    rng = np.random.default_rng(0)
    gender = rng.integers(2, size=1200)
    task = np.where(rng.random(1200) < 0.67, gender, rng.integers(3, size=1200))
    X = rng.standard_normal((1200, 9)) @ rng.standard_normal((9, 9))
    X += np.outer(gender, rng.standard_normal(9)) * 2
    X += rng.standard_normal((3, 9))[task] * 2
    return X.astype(np.float32), task, gender


def cross(X, codes):
    return np.cov(X.astype(np.float64).T, np.eye(codes.max() + 1)[codes].T)[
        : X.shape[1], X.shape[1] :
    ]


def test_covariance_with_the_target_stays_and_with_the_attribute_goes(biased):
    X, task, gender = biased
    hidden = clone(EXACT).fit_transform(X, task, sensitive=gender)
    np.testing.assert_allclose(cross(hidden, task), cross(X, task), atol=1e-5)
    np.testing.assert_allclose(cross(hidden, gender), 0, atol=1e-5)
    # LEACE keeps the second promise only.
    erased = LEACE().fit_transform(X, sensitive=gender)
    assert np.abs(cross(erased, task) - cross(X, task)).max() > 0.05


def test_it_is_the_published_projection(biased):
    X, task, gender = biased
    model = clone(EXACT).fit(X, task, sensitive=gender).model_
    values, vectors = np.linalg.eigh(np.cov(X.astype(np.float64).T))
    W = vectors @ np.diag(values**-0.5) @ vectors.T
    Wz, Wy = (np.linalg.svd(W @ cross(X, codes))[0][:, :r] for codes, r in ((gender, 1), (task, 2)))
    U = np.linalg.svd(Wz)[0][:, 1:]  # complement of the kernel
    both = np.linalg.svd(np.concatenate([Wz, Wy], axis=1))[0]
    V = np.concatenate([Wy, both[:, 3:]], axis=1)  # what stays unchanged
    expected = np.linalg.inv(W) @ V @ np.linalg.inv(U.T @ V) @ U.T @ W
    mean = X.mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(model.map(X), (X - mean) @ expected.T + mean, atol=1e-3)


def test_a_linear_attacker_reads_gender_before_and_not_after(biased):
    X, task, gender = biased
    hidden = SPLINCE(random_state=0).fit_transform(X, task, sensitive=gender)
    accuracy = [
        balanced_accuracy_score(gender, LogisticRegression(max_iter=1000).fit(r, gender).predict(r))
        for r in (X, hidden)
    ]
    assert accuracy[0] > 0.7
    assert accuracy[1] == 0.5


def test_a_frozen_classifier_of_the_target_keeps_its_mean_scores(biased):
    X, task, gender = biased
    frozen = LogisticRegression(max_iter=1000).fit(X, task)
    splince = SPLINCE(random_state=0).fit_transform(X, task, sensitive=gender)
    leace = LEACE(random_state=0).fit_transform(X, sensitive=gender)

    def mean_scores(rows):
        return np.stack([frozen.decision_function(rows[task == c]).mean(axis=0) for c in range(3)])

    np.testing.assert_allclose(mean_scores(splince), mean_scores(X), atol=1e-3)
    assert np.abs(mean_scores(leace) - mean_scores(X)).max() > 0.1


def test_a_target_uncorrelated_with_the_attribute_makes_it_leace():
    gender, task = (c.reshape(-1) for c in np.indices((2, 2, 200))[:2])
    X = np.random.default_rng(0).standard_normal((800, 6))
    for cell in range(4):
        X[gender * 2 + task == cell] -= X[gender * 2 + task == cell].mean(axis=0)
    X = X @ np.linalg.inv(np.linalg.cholesky(np.cov(X.T))).T
    X[:, 1] += gender
    X[:, 2] += task
    X = X.astype(np.float32)
    ours = clone(EXACT).fit(X, task, sensitive=gender)
    leace = LEACE(covariance_rows=None, shrinkage=False).fit(X, sensitive=gender)
    assert ours.model_.curve[-1]["sine"] == pytest.approx(1.0)
    np.testing.assert_allclose(ours.transform(X), leace.transform(X), atol=1e-5)


def test_target_and_attributes_may_come_from_different_rows(biased):
    X, task, gender = biased
    apart = clone(EXACT).fit(X[:600], task[:600], detector=(X[600:], gender[600:]))
    np.testing.assert_allclose(cross(apart.transform(X[600:]), gender[600:]), 0, atol=1e-5)
    hidden = apart.transform(X[:600])
    np.testing.assert_allclose(cross(hidden, task[:600]), cross(X[:600], task[:600]), atol=1e-5)


def test_batches_are_the_whole(biased):
    X, task, gender = biased
    whole = clone(EXACT).fit(X, task, sensitive=gender)
    parts = clone(EXACT)
    for rows in np.array_split(np.argsort(task), 5):
        parts.partial_fit(X[rows], task[rows], sensitive=gender[rows])
    np.testing.assert_allclose(parts.transform(X), whole.transform(X), atol=1e-3)


def test_a_target_that_is_the_attribute_is_refused(biased):
    X, _, gender = biased
    with pytest.raises(InputError, match="cannot be both removed and kept; use LEACE"):
        SPLINCE().fit(X, gender, sensitive=gender)
    with pytest.raises(InputError, match="SPLINCE: 1 directions of the attributes and 9"):
        SPLINCE().fit(X, np.arange(1200) // 30, sensitive=gender)


def test_batches_need_a_target(biased):
    X, task, gender = biased
    with pytest.raises(InputError, match="requires y to be passed, but the target y is None"):
        SPLINCE().partial_fit(X, sensitive=gender)
    with pytest.raises(InputError, match="y: expected one label for each of 1200 rows, found 3"):
        SPLINCE().partial_fit(X, task[:3], sensitive=gender)
