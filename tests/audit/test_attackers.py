import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from sensitivenets.audit.attackers.catalogue import (
    Attacker,
    from_estimators,
    full_battery,
    nearest_neighbours,
    regularised_qda,
)
from sensitivenets.audit.attackers.gallery import GalleryVote
from sensitivenets.audit.attackers.quadratic import QuadraticClassifier
from sensitivenets.audit.attackers.rbf_svm import RelativeSVC
from sensitivenets.audit.scores import balanced_accuracy
from sensitivenets.audit.splits import Split
from sensitivenets.audit.tasks import make_task
from sensitivenets.audit.trials import class_scores, run_trial
from sensitivenets.embeddings import encode


def blobs(n, k, d=5, seed=0, gap=1.5):
    rng = np.random.default_rng(seed)
    y = rng.integers(k, size=n)
    return rng.standard_normal((n, d)) + gap * np.eye(k, d)[y], y


def task_of(y, n_train):
    split = Split(np.arange(n_train), np.arange(n_train, len(y)))
    return make_task(encode("label", y), split, 0)[0]


@pytest.mark.parametrize("k", [2, 3, 4])
def test_the_kernel_machine_predicts_as_scikit_learns(k):
    X, y = blobs(300, k)
    ours = RelativeSVC(1.0, 2.0).fit(X[:200], y[:200])
    gamma = 1 / X[:200].var(axis=0).sum()
    theirs = SVC(C=2.0, gamma=gamma, class_weight=None if k > 2 else "balanced")
    theirs.fit(X[:200], y[:200])
    # Class weights differ a little: scikit-learn takes them over all classes, we pair by pair.
    agree = np.mean(ours.predict(X[200:]) == theirs.predict(X[200:]))
    assert agree >= (1.0 if k == 2 else 0.9)
    if k == 2:
        np.testing.assert_allclose(
            ours.decision_function(X[200:]), theirs.decision_function(X[200:]), atol=1e-2
        )


def test_the_kernel_machine_ignores_rotation_scale_and_origin():
    X, y = blobs(200, 3)
    rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((5, 5)))[0]
    a = RelativeSVC().fit(X[:150], y[:150]).decision_function(X[150:])
    moved = 1e3 * (X @ rotation) + 1e4
    b = RelativeSVC().fit(moved[:150], y[:150]).decision_function(moved[150:])
    np.testing.assert_allclose(a, b, atol=1e-3)


def test_the_quadratic_attacker_reads_a_product_that_is_rotated_away():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2400, 20))
    y = (X[:, 3] * X[:, 11] > 0).astype(int)
    rotated = X @ np.linalg.qr(rng.standard_normal((20, 20)))[0]
    linear = LogisticRegression().fit(rotated[:1600], y[:1600]).predict(rotated[1600:])
    assert balanced_accuracy(y[1600:], linear) < 0.56
    model = QuadraticClassifier(n_directions=6, C=0.1).fit(rotated[:1600], y[:1600])
    assert balanced_accuracy(y[1600:], model.predict(rotated[1600:])) > 0.8


def test_the_gallery_vote_equals_a_loop_over_the_gallery():
    X, y = blobs(80, 3)
    model = GalleryVote(per_class=10, n_votes=5, random_state=3).fit(X[:60], y[:60])
    unit = X[60:] / np.linalg.norm(X[60:], axis=1, keepdims=True)
    labels = model._votes.argmax(axis=1)
    for row, share in zip(unit, model.predict_proba(X[60:]), strict=True):
        best = np.argsort(-(model._gallery @ row))[:5]
        np.testing.assert_allclose(share, np.bincount(labels[best], minlength=3) / 5, atol=1e-3)


def test_the_gallery_is_balanced_and_seeded():
    X, y = blobs(300, 2)
    y = (np.arange(300) < 40).astype(int)
    a, b, c = (GalleryVote(50, 5, seed).fit(X, y) for seed in (0, 0, 1))
    assert (a._votes > 0).sum(axis=0).tolist() == [50, 40]
    np.testing.assert_allclose(a._votes.sum(axis=0), [50, 50])
    np.testing.assert_array_equal(a._gallery, b._gallery)
    assert not np.array_equal(a._gallery, c._gallery)


@pytest.mark.parametrize("attacker", full_battery(), ids=lambda a: a.name)
def test_every_attacker_reads_an_easy_unbalanced_label_evenly(attacker):
    rng = np.random.default_rng(0)
    y = (rng.random(700) < 0.1).astype(int)
    X = rng.standard_normal((700, 4)).astype(np.float32)
    X[:, :2] += 2.0 * y[:, None]
    task = task_of(y, 500)
    trial = run_trial(attacker, "standardised", X, task, 0)
    predicted = trial.predictions
    # Both recalls matter: the frequent class must not swallow the rare one.
    recalls = [np.mean(predicted[task.y[task.test] == label] == label) for label in (0, 1)]
    assert min(recalls) > 0.7
    assert trial.validation > 0.7
    assert not [note for note in trial.notes if "failed" in note]


@pytest.mark.parametrize("attacker", full_battery(), ids=lambda a: a.name)
def test_every_attacker_repeats_itself_for_one_seed(attacker):
    X, y = blobs(160, 2)
    task = task_of(y, 110)
    X = X.astype(np.float32)
    first, second = (run_trial(attacker, "raw", X, task, 7) for _ in range(2))
    np.testing.assert_array_equal(first.scores, second.scores)


def test_prior_correction_by_hand():
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    plain = class_scores(model, np.array([[0.5]]), 2, None)
    assert plain[0, 0] == pytest.approx(plain[0, 1], abs=1e-6)
    corrected = class_scores(model, np.array([[0.5]]), 2, np.array([0.9, 0.1]))
    assert corrected[0, 1] - corrected[0, 0] == pytest.approx(np.log(9), abs=1e-6)


def test_a_class_that_an_estimator_never_saw_is_never_predicted():
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 2])
    assert set(class_scores(model, np.linspace(-5, 5, 30)[:, None], 3, None).argmax(axis=1)) <= {
        0,
        2,
    }


class Broken(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        raise RuntimeError("out of luck\nsecond line")


class Noisy(LogisticRegression):
    def fit(self, X, y):
        warnings.warn("something odd", UserWarning, stacklevel=2)
        return super().fit(X, y)


def test_a_failing_attacker_becomes_a_note():
    X, y = blobs(100, 2)
    (attacker,) = from_estimators({"mine": Broken()})
    trial = run_trial(attacker, "raw", X, task_of(y, 70), 0)
    assert trial.predictions is None
    assert trial.notes == ("failed: RuntimeError: out of luck",)


def test_no_convergence_and_other_warnings_become_notes():
    X, y = blobs(100, 2)
    mine = from_estimators({
        "short": MLPClassifier((4,), max_iter=2),
        "noisy": Noisy(),
    })
    short, noisy = (run_trial(attacker, "raw", X, task_of(y, 70), 0) for attacker in mine)
    assert short.notes[0].startswith("did not converge: Stochastic Optimizer: Maximum iterations")
    assert noisy.notes == ("something odd",)
    assert noisy.predictions is not None


def test_too_many_rows_are_sampled_and_noted():
    X, y = blobs(200, 2)
    attacker = Attacker("small", (({}, LogisticRegression()),), max_rows=50)
    assert run_trial(attacker, "raw", X, task_of(y, 150), 0).notes == ("trained on 50 of 150 rows",)


def test_parameters_are_chosen_on_held_out_rows():
    # Labels repeat in pairs of equal rows, one flipped at random: one neighbour is a poor guide.
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 2)).astype(np.float32)
    y = ((X[:, 0] > 0) ^ (rng.random(600) < 0.3)).astype(int)
    trial = run_trial(nearest_neighbours(), "raw", X, task_of(y, 450), 0)
    assert trial.parameters["k"] >= 25


def test_a_users_seed_is_kept():
    (attacker,) = from_estimators({"mine": MLPClassifier((3,), max_iter=5, random_state=5)})
    X, y = blobs(80, 2)
    one, two = (run_trial(attacker, "raw", X, task_of(y, 60), seed) for seed in (0, 1))
    np.testing.assert_array_equal(one.scores, two.scores)


def test_attackers_clone_as_scikit_learn_expects():
    for estimator in (RelativeSVC(2.0, 3.0), QuadraticClassifier(8), GalleryVote(3, 2, 1)):
        assert clone(estimator).get_params() == estimator.get_params()


def test_qda_survives_more_features_than_rows():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = rng.standard_normal((60, 100)).astype(np.float32)
    trial = run_trial(regularised_qda(), "raw", X, task_of(y, 40), 0)
    assert trial.predictions is not None
