"""One trial and the loop over trials: what is chosen, what is noted, what fails."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor

from sensitivenets.audit.attack import Attack, Attacker, Workers, attack, run_trial
from sensitivenets.audit.attackers.catalogue import from_estimators, full_plan
from sensitivenets.audit.attackers.local_votes import nearest_neighbours, neighbour_regression
from sensitivenets.audit.preparations import STANDARDISED, WHITENED, prepare
from sensitivenets.audit.splits import Split
from sensitivenets.audit.tasks import NumberTask, class_scores
from sensitivenets.engines import InProcess
from sensitivenets.engines.processes import Processes
from sensitivenets.progress import Steps


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


class Broken(BaseEstimator):
    def fit(self, X, y):
        raise RuntimeError("out of luck\nsecond line")


class Overflows(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.full(len(X), np.inf)


class Noisy(LogisticRegression):
    def fit(self, X, y):
        warnings.warn("something odd", UserWarning, stacklevel=2)
        return super().fit(X, y)


@pytest.fixture(params=["classes", "numbers"])
def kind(request, blobs, task_of):
    """Rows, a task on them, and the scikit-learn network for it: for classes and for numbers."""
    X, y = blobs(100, 2)
    if request.param == "classes":
        return X, task_of(y, 70), MLPClassifier
    split = Split(np.arange(70), np.arange(70, 100))
    return X, NumberTask.make("age", 40 + 10 * X[:, 0], split, 0), MLPRegressor


def test_a_failing_attacker_becomes_a_note(kind):
    X, task, _ = kind
    trial = run_trial(Attacker("mine", (({}, Broken()),)), "raw", X, task, 0)
    assert trial.outputs is None
    assert trial.validation is None
    assert trial.notes == ("failed: RuntimeError: out of luck",)


def test_no_convergence_is_noted(kind):
    X, task, network = kind
    trial = run_trial(
        Attacker("mine", (({}, network(hidden_layer_sizes=(4,), max_iter=2)),)), "raw", X, task, 0
    )
    assert trial.notes[0].startswith("did not converge: Stochastic Optimizer: Maximum iterations")
    assert trial.outputs is not None


def test_other_warnings_become_notes(blobs, task_of):
    X, y = blobs(100, 2)
    (attacker,) = from_estimators({"noisy": Noisy()})
    trial = run_trial(attacker, "raw", X, task_of(y, 70), 0)
    assert trial.notes == ("something odd",)
    assert trial.outputs is not None


def test_too_many_rows_are_sampled_and_noted(blobs, task_of):
    X, y = blobs(200, 2)
    attacker = Attacker("small", (({}, LogisticRegression()),), max_rows=50)
    assert run_trial(attacker, "raw", X, task_of(y, 150), 0).notes == ("trained on 50 of 150 rows",)


def test_parameters_are_chosen_on_held_out_rows(task_of):
    # Labels repeat in pairs of equal rows, one flipped at random: one neighbour is a poor guide.
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 2)).astype(np.float32)
    y = ((X[:, 0] > 0) ^ (rng.random(600) < 0.3)).astype(int)
    trial = run_trial(nearest_neighbours(), "raw", X, task_of(y, 450), 0)
    assert trial.parameters["k"] >= 25


def test_numbers_that_are_not_finite_are_a_failure(blobs):
    X, _ = blobs(100, 2)
    task = NumberTask.make("age", X[:, 0], Split(np.arange(70), np.arange(70, 100)), 0)
    trial = run_trial(Attacker("mine", (({}, Overflows()),)), "raw", X, task, 0)
    assert trial.outputs is None
    assert trial.notes == ("failed: FloatingPointError: predictions are not finite",)


def test_every_attack_gets_its_own_trials_in_the_order_of_its_attackers(blobs, task_of):
    X, y = blobs(100, 2)
    prepared, task = prepare(X, 70), task_of(y, 70)
    mine = from_estimators({"first": LogisticRegression(), "second": LogisticRegression(C=0.1)})
    attacks = [Attack("before", prepared, task, mine), Attack("after", prepared, task, mine[1:])]
    seen = []
    steps = Steps(0, lambda done, total, what: seen.append((done, total, what)))
    both, one = attack(attacks, seed=0, workers=Workers(), steps=steps)
    shown = tuple(mine[0].views(prepared))
    assert [(t.attacker, t.preparation) for t in both] == [
        (name, preparation) for name in ("first", "second") for preparation in shown
    ]
    for here, there in zip(both[len(shown) :], one, strict=True):
        np.testing.assert_array_equal(here.outputs, there.outputs)
    n = 3 * len(shown)
    assert seen[0] == (1, n, "label, before: first")
    assert seen[-1] == (n, n, "label, after: second")


@pytest.mark.parametrize(
    "workers",
    [Workers(2), Workers(engine=InProcess(1).map), Workers(engine=Processes(2).map)],
    ids=["processes", "engine here", "engine of processes"],
)
def test_trials_are_the_same_whoever_does_them(blobs, task_of, workers):
    X, y = blobs(100, 2)
    mine = from_estimators({"one": MLPClassifier((3,), max_iter=5), "two": LogisticRegression()})
    attacks = [Attack("before", prepare(X, 70), task_of(y, 70), mine)]
    (expected,), (found,) = (
        attack(attacks, seed=0, workers=one, steps=Steps(0)) for one in (Workers(), workers)
    )
    for one, other in zip(expected, found, strict=True):
        assert one.notes == other.notes
        np.testing.assert_array_equal(one.outputs, other.outputs)


def test_a_users_seed_is_kept(blobs, task_of):
    (attacker,) = from_estimators({"mine": MLPClassifier((3,), max_iter=5, random_state=5)})
    X, y = blobs(80, 2)
    one, two = (run_trial(attacker, "raw", X, task_of(y, 60), seed) for seed in (0, 1))
    np.testing.assert_array_equal(one.outputs, two.outputs)


@pytest.mark.parametrize("attacker", [nearest_neighbours(), neighbour_regression()])
def test_neighbours_are_asked_of_fewer_rows_than_they_are(attacker, blobs, task_of):
    X, y = blobs(60, 2)
    task = task_of(y, 40)
    if attacker.preparations == (STANDARDISED, WHITENED):
        task = NumberTask.make("age", X[:, 0], Split(np.arange(40), np.arange(40, 60)), 0)
    every = [replace(attacker, candidates=(one,)) for one in attacker.candidates]
    trials = [run_trial(one, "raw", X, task, 0) for one in every]
    assert not [note for trial in trials for note in trial.notes if "failed" in note]


def test_a_budget_leaves_out_the_costliest_and_says_so():
    plan = full_plan({}, curves=True)
    everything = plan.within(1e9, times=4)
    assert everything.left_out == ()
    assert everything.attackers == plan.attackers
    previous = set()
    for seconds in (10_000, 600, 100, 1):
        less = plan.within(seconds, times=4)
        assert previous <= set(less.left_out)
        previous = set(less.left_out)
        names = {attacker.name for attacker in less.attackers}
        assert names.isdisjoint(less.left_out)
        assert {a.name for a in less.joint_attackers} <= names
        assert less.shuffled_attackers == plan.shuffled_attackers
        if seconds == 600:
            assert "RBF-SVM" in less.left_out
            assert "logistic regression" in names
    assert len(less.attackers) == 1
    assert {"curves", "the attributes crossed"} <= set(less.left_out)
    assert not less.curves
    assert less.joint_attackers == ()
