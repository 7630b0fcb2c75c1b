import numpy as np
import pytest

from sensitivenets.audit.attack import run_trial
from sensitivenets.audit.attackers.linear_quadratic import logistic_regression
from sensitivenets.audit.attackers.local_votes import nearest_neighbours
from sensitivenets.audit.curves import (
    description_length,
    fixed,
    label_counts,
    learning_predictions,
    removal_predictions,
    to_curve,
)
from sensitivenets.audit.metrics import TrueLabels, balanced_accuracy
from sensitivenets.audit.splits import Split
from sensitivenets.audit.tasks import ClassTask
from sensitivenets.embeddings import encode


def table(n=1200, d=10, gap=1.0, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    X = rng.standard_normal((n, d)).astype(np.float32)
    X[:, :5] += gap * y[:, None]
    split = Split(np.arange(n // 2), np.arange(n // 2, n))
    task = ClassTask.make(encode("label", y), split, 0)
    test = TrueLabels.make(task.y[task.test], 2, np.arange(len(task.test)), 0)
    return X, task, test


LINEAR = fixed(logistic_regression(), run_trial(logistic_regression(), "raw", *table()[:2], 0))


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (60, (60,)),
        (600, (100, 300, 600)),
        (9000, (100, 300, 900, 2800, 9000)),
    ],
)
def test_label_counts_grow_about_threefold_to_all(n, expected):
    assert label_counts(n) == expected


def test_fixed_keeps_the_parameters_a_trial_chose():
    X, task, _ = table()
    trial = run_trial(nearest_neighbours(), "raw", X, task, 0)
    assert [parameters for parameters, _ in fixed(nearest_neighbours(), trial).candidates] == [
        trial.parameters
    ]


def test_the_last_point_of_the_learning_curve_is_the_attack_itself():
    X, task, test = table()
    points = learning_predictions(LINEAR, "raw", X, task, 0)
    curve = to_curve("x", "labels", points, test)
    assert [point.x for point in curve.points] == [100, 300, 600]
    assert [point.n for point in curve.points] == [1800, 1800, 600]
    trial = run_trial(LINEAR, "raw", X, task, 0)
    expected = balanced_accuracy(test.y, trial.predictions)
    assert curve.points[-1].balanced_accuracy == pytest.approx(expected)
    assert curve.points[0].balanced_accuracy < curve.points[-1].balanced_accuracy


def test_removing_features_removes_what_they_say():
    X, task, test = table(gap=0.8)
    curve = to_curve("x", "removed", removal_predictions(LINEAR, "raw", X, task, 0), test)
    figures = [point.balanced_accuracy for point in curve.points]
    assert figures[0] > 0.75
    assert figures[-1] < 0.7  # one feature of ten is left
    assert figures[0] > figures[3] > figures[-1]


def test_fewer_features_are_whitened_anew():
    X, task, test = table(gap=2.0)
    # All that tells the classes is in a direction that only whitening makes large enough to see.
    mixed = np.hstack([X[:, :1] + 300 * X[:, 5:6], X[:, 5:6] * 300]).astype(np.float32)
    distance = fixed(nearest_neighbours(), run_trial(nearest_neighbours(), "raw", mixed, task, 0))
    first = {
        name: to_curve("x", "removed", removal_predictions(distance, name, mixed, task, 0), test)
        for name in ("raw", "whitened")
    }
    assert first["raw"].points[0].balanced_accuracy < 0.65
    assert first["whitened"].points[0].balanced_accuracy > 0.75


def test_a_curve_averages_seeds_and_drops_points_where_all_failed():
    _, _, test = table()
    right, wrong = test.y, 1 - test.y
    curve = to_curve("x", "labels", [(1, [right, wrong]), (2, [])], test)
    assert len(curve.points) == 1
    point = curve.points[0]
    assert point.balanced_accuracy == pytest.approx(0.5)
    # Two seeds that disagree entirely: the interval says so.
    assert (point.low, point.high) == (0.0, 1.0)


def test_noise_cannot_be_coded_shorter_than_class_shares():
    X, task, _ = table(gap=0.0)
    found = description_length(LINEAR, "raw", X, task, np.arange(len(X)), 0)
    assert found.uniform_bits_per_row == 1.0
    assert found.prior_bits_per_row == pytest.approx(1.0, abs=0.02)
    assert 0.98 < found.bits_per_row < 1.15
    assert found.n == 600


def test_an_easy_label_is_coded_in_few_bits():
    X, task, _ = table(gap=3.0)
    found = description_length(LINEAR, "raw", X, task, np.arange(len(X)), 0)
    # The first eighth is coded by class shares, at a bit each; the rest nearly for free.
    assert 0.05 < found.bits_per_row < 0.3


def test_the_prior_code_of_a_rare_class_by_its_entropy():
    rng = np.random.default_rng(0)
    y = (rng.random(4000) < 0.1).astype(int)
    X = rng.standard_normal((4000, 3)).astype(np.float32)
    task = ClassTask.make(encode("label", y), Split(np.arange(3000), np.arange(3000, 4000)), 0)
    found = description_length(LINEAR, "raw", X, task, np.arange(4000), 0)
    share = y[:3000].mean()
    entropy = -share * np.log2(share) - (1 - share) * np.log2(1 - share)
    assert found.prior_bits_per_row == pytest.approx(entropy, rel=0.05)
