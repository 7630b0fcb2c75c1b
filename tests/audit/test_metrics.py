import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, r2_score, roc_auc_score

from sensitivenets.audit.metrics import (
    TrueLabels,
    TrueValues,
    balanced_accuracy,
    mean_auc,
    r_squared,
    reduction_interval,
    strongest_of,
)


def attacked(y, identities=None, seed=0):
    y = np.asarray(y)
    identities = np.arange(len(y)) if identities is None else np.asarray(identities)
    return TrueLabels.make(y, int(y.max()) + 1, identities, seed)


def test_balanced_accuracy_of_four_rows_by_hand():
    # Two of three right in class 0, one of one in class 1.
    assert balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])) == pytest.approx(5 / 6)


def test_balanced_accuracy_and_auc_are_scikit_learns():
    rng = np.random.default_rng(0)
    y, scores = rng.integers(3, size=200), rng.random((200, 3))
    predicted = scores.argmax(axis=1)
    assert balanced_accuracy(y, predicted) == pytest.approx(balanced_accuracy_score(y, predicted))
    shares = scores / scores.sum(axis=1, keepdims=True)
    expected = roc_auc_score(y, shares, multi_class="ovr")
    # Log posteriors up to a constant of each row.
    logs = np.log(shares) + rng.standard_normal((200, 1))
    assert mean_auc(y, logs) == pytest.approx(expected)
    assert mean_auc(y, np.full((200, 3), np.nan)) is None
    binary = (y > 0).astype(int)
    expected = roc_auc_score(binary, np.round(scores[:, 0], 1))
    two = np.stack([np.zeros(200), np.round(scores[:, 0], 1)], axis=1)
    assert mean_auc(binary, two) == pytest.approx(expected)  # with ties


def test_r_squared_is_scikit_learns():
    rng = np.random.default_rng(0)
    truth, predicted = rng.standard_normal((2, 30))
    assert r_squared(truth, predicted) == pytest.approx(r2_score(truth, predicted))


def test_draws_of_r_squared_equal_a_loop_over_identities():
    rng = np.random.default_rng(1)
    truth = rng.standard_normal(60)
    predicted = truth + rng.standard_normal(60)
    test = TrueValues.make(truth, rng.integers(15, size=60), 0)
    every = [np.repeat(np.arange(60), draw[test.identities].astype(int)) for draw in test.weights]
    expected = [r2_score(truth[rows], predicted[rows]) for rows in every]
    low, high = np.percentile(expected, [2.5, 97.5])
    assert test.interval(predicted) == pytest.approx((low, high), abs=1e-6)


def test_bootstrap_draws_equal_a_loop_over_identities():
    rng = np.random.default_rng(1)
    y, identities = rng.integers(2, size=60), rng.integers(15, size=60)
    predictions = rng.integers(2, size=(60, 3))
    test = attacked(y, identities)
    index = np.unique(identities, return_inverse=True)[1]
    for draw in range(5):
        rows = np.repeat(np.arange(60), test.weights[draw][index].astype(int))
        for column in range(3):
            expected = balanced_accuracy(y[rows], predictions[rows, column])
            assert test.draws(predictions)[draw, column] == pytest.approx(expected, abs=1e-6)


def test_the_interval_of_independent_rows_is_the_binomial_one():
    rng = np.random.default_rng(2)
    y = np.repeat([0, 1], 1000)
    predicted = np.where(rng.random(2000) < 0.8, y, 1 - y)
    test = attacked(y)
    low, high = test.interval(0.8, test.draws(predicted[:, None])[:, 0])
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.8 * 0.2 / 2000), rel=0.15)


def test_rows_of_one_identity_widen_the_interval():
    rng = np.random.default_rng(3)
    y = np.repeat(rng.integers(2, size=100), 10)
    predicted = np.where(np.repeat(rng.random(100) < 0.8, 10), y, 1 - y)
    value = balanced_accuracy(y, predicted)
    widths = []
    for identities in (np.arange(1000), np.repeat(np.arange(100), 10)):
        test = attacked(y, identities)
        low, high = test.interval(value, test.draws(predicted[:, None])[:, 0])
        widths.append(high - low)
    assert widths[1] > 2.5 * widths[0]  # the square root of 10, but for luck


def test_a_perfect_score_is_not_certain():
    test = attacked([0, 1] * 30)
    low, high = test.interval(1.0, np.ones(1000))
    assert (low, high) == (pytest.approx(1 - 3 / 60), 1.0)


def test_the_strongest_of_many_guesses_is_not_above_chance():
    rng = np.random.default_rng(4)
    y = rng.integers(2, size=400)
    guesses = rng.integers(2, size=(400, 40))
    best = strongest_of(attacked(y), guesses)
    single = strongest_of(attacked(y), guesses[:, :1])
    assert best.value == max(balanced_accuracy(y, column) for column in guesses.T)
    assert best.value <= best.noise_bound
    assert best.noise_bound > single.noise_bound + 0.01  # the best of 40 needs more than the one
    assert best.low <= 0.5 <= best.high


def test_the_noise_bound_holds_in_99_of_100_draws():
    rng = np.random.default_rng(5)
    above = 0
    for seed in range(100):
        y = rng.integers(2, size=120)
        best = strongest_of(attacked(y, seed=seed), rng.integers(2, size=(120, 5)))
        above += best.value > best.noise_bound
    assert above <= 5  # 1 expected; 6 or more happens once in 2000


def test_labels_that_belong_to_identities_are_permuted_with_them():
    # One identity holds half of the rows: a constant label for it alone decides the score.
    identities = np.concatenate([np.zeros(50, int), np.arange(1, 51)])
    y = np.concatenate([np.zeros(50, int), np.ones(50, int)])
    predicted = y.copy()[:, None]
    clustered = attacked(y, identities).noise_draws(predicted)
    independent = attacked(y).noise_draws(predicted)
    assert clustered.std() > 1.5 * independent.std()


def test_reduction_interval_by_hand():
    before, after = np.full(100, 0.9), np.linspace(0.5, 0.7, 100)
    low, high = reduction_interval(before, after, 0.5)
    assert low == pytest.approx(0.5, abs=0.03)
    assert high == pytest.approx(1.0, abs=0.03)
    assert reduction_interval(np.linspace(0.4, 0.6, 100), after, 0.5) is None
