import textwrap

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from sensitivenets.audit import attackers
from sensitivenets.audit.attack import run_trial
from sensitivenets.audit.attackers.catalogue import class_attackers, number_attackers
from sensitivenets.audit.attackers.linear_quadratic import QuadraticClassifier, regularised_qda
from sensitivenets.audit.attackers.local_votes import GalleryVote
from sensitivenets.audit.attackers.smooth_functions import EpochRegressor, RelativeSVC, RelativeSVR
from sensitivenets.audit.metrics import balanced_accuracy
from sensitivenets.audit.splits import Split
from sensitivenets.audit.tasks import NumberTask


@pytest.mark.parametrize("k", [2, 3, 4])
def test_the_kernel_machine_predicts_as_scikit_learns(k, blobs):
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


def test_the_kernel_machine_ignores_rotation_scale_and_origin(blobs):
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


def test_the_gallery_vote_equals_a_loop_over_the_gallery(blobs):
    X, y = blobs(80, 3)
    model = GalleryVote(per_class=10, n_votes=5, random_state=3).fit(X[:60], y[:60])
    unit = X[60:] / np.linalg.norm(X[60:], axis=1, keepdims=True)
    labels = model._votes.argmax(axis=1)
    for row, share in zip(unit, model.predict_proba(X[60:]), strict=True):
        best = np.argsort(-(model._gallery @ row))[:5]
        np.testing.assert_allclose(share, np.bincount(labels[best], minlength=3) / 5, atol=1e-3)


def test_the_gallery_is_balanced_and_seeded(blobs):
    X, y = blobs(300, 2)
    y = (np.arange(300) < 40).astype(int)
    a, b, c = (GalleryVote(50, 5, seed).fit(X, y) for seed in (0, 0, 1))
    assert (a._votes > 0).sum(axis=0).tolist() == [50, 40]
    np.testing.assert_allclose(a._votes.sum(axis=0), [50, 50])
    np.testing.assert_array_equal(a._gallery, b._gallery)
    assert not np.array_equal(a._gallery, c._gallery)


@pytest.mark.parametrize("attacker", class_attackers(), ids=lambda a: a.name)
def test_every_attacker_reads_an_easy_unbalanced_label_evenly(attacker, task_of):
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


@pytest.mark.parametrize("attacker", class_attackers(), ids=lambda a: a.name)
def test_every_attacker_repeats_itself_for_one_seed(attacker, blobs, task_of):
    X, y = blobs(160, 2)
    task = task_of(y, 110)
    X = X.astype(np.float32)
    first, second = (run_trial(attacker, "raw", X, task, 7) for _ in range(2))
    np.testing.assert_array_equal(first.outputs, second.outputs)


def test_attackers_clone_as_scikit_learn_expects():
    ours = (RelativeSVC(2, 3), RelativeSVR(2, 3), QuadraticClassifier(8), GalleryVote(3, 2, 1))
    for estimator in (*ours, EpochRegressor(4)):
        assert clone(estimator).get_params() == estimator.get_params()


def test_qda_survives_more_features_than_rows(task_of):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = rng.standard_normal((60, 100)).astype(np.float32)
    trial = run_trial(regularised_qda(), "raw", X, task_of(y, 40), 0)
    assert trial.outputs is not None


@pytest.mark.parametrize("attacker", number_attackers(), ids=lambda a: a.name)
def test_every_attacker_of_numbers_reads_an_easy_value_and_repeats_itself(attacker):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 4)).astype(np.float32)
    age = 40 + 10 * X[:, 0] + 3 * rng.standard_normal(500)
    task = NumberTask.make("age", age, Split(np.arange(350), np.arange(350, 500)), 0)
    first, second = (run_trial(attacker, "standardised", X, task, 7) for _ in range(2))
    assert task.rate(task.test, first.outputs) > 0.65  # noise of 3 leaves 0.92 to be read
    assert first.validation > 0.65
    assert first.notes == ()
    np.testing.assert_array_equal(first.outputs, second.outputs)


def test_the_example_of_an_attacker_attacks(blobs, task_of):
    example = textwrap.dedent(attackers.__doc__.partition("::\n")[2].partition("`preparations`")[0])
    assert len(example.strip().splitlines()) < 40
    names = {}
    exec(example, names)
    X, y = blobs(300, 2)
    trial = run_trial(names["nearest_mean"](), "raw", X, task_of(y, 200), 0)
    assert trial.validation > 0.7
    assert trial.notes == ()
