"""Label error and agreement: hand-computed, simulated, and beside scipy and scikit-learn."""

import numpy as np
import pytest
from scipy.stats import binomtest

from sensitivenets.annotation.agreement import agreements
from sensitivenets.annotation.label_error import Checks, label_error
from sensitivenets.annotation.queues import label_error_probability, least_confident_first
from sensitivenets.intervals import clopper_pearson


@pytest.mark.parametrize(("k", "n"), [(0, 1), (0, 300), (1, 1), (3, 10), (50, 200), (200, 200)])
def test_the_interval_is_scipys(k, n):
    exact = binomtest(k, n).proportion_ci(method="exact")
    assert clopper_pearson(k, n) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_no_error_in_three_hundred_is_less_than_about_a_hundredth():
    # The "rule of three" with alpha / 2: 1 - 0.025 ** (1 / 300).
    assert clopper_pearson(0, 300)[1] == pytest.approx(1 - 0.025 ** (1 / 300))


def checks(machine, human, order=None, population=None):
    machine, human = np.array(machine), np.array(human)
    seen = human != -1
    return Checks(
        machine,
        np.maximum(human, -1),
        seen,
        np.ones(len(machine), bool) if population is None else np.array(population),
        np.arange(len(machine)) if order is None else np.array(order),
    )


def test_by_hand():
    # Twenty labels; the first five of the random order are checked and one is wrong: a fifth of
    # twenty is four, less the one corrected, leaves three of fifteen unchecked.
    human = [1, 0, 0, 0, 0] + [-1] * 15
    found = label_error(checks([0] * 20, human))
    assert (found.wrong, found.share.n, found.corrected, found.population) == (1, 5, 1, 20)
    assert found.remaining == pytest.approx(3)
    assert found.share.value == pytest.approx(3 / 20)
    low, high = clopper_pearson(1, 5)
    assert (found.low, found.high) == (
        pytest.approx(max(20 * low - 1, 0)),
        pytest.approx(20 * high - 1),
    )


def test_least_confident_rows_looked_at_first_are_no_sample():
    # The rows found wrong lie behind an unseen row of the random order.
    human = [-1, 1, 1, 1, -1, -1]
    assert label_error(checks([0] * 6, human)) is None
    found = label_error(checks([0] * 6, [0, *human[1:]]))
    assert found.share.n == 4


def test_unsure_is_right_in_the_lower_end_and_wrong_in_the_upper():
    human = [0] * 8 + [-2] * 2 + [-1] * 90
    found = label_error(checks([0] * 100, human))
    assert (found.wrong, found.unsure) == (0, 2)
    assert found.low == 0
    assert found.high == pytest.approx(100 * clopper_pearson(2, 10)[1])


def test_nothing_is_left_where_all_is_checked():
    found = label_error(checks([0, 0, 1], [0, 1, 1]))
    assert (found.remaining, found.low, found.high) == (0, 0, 0)


def test_rows_without_a_label_are_not_wrong():
    found = label_error(checks([0, -1, 0, -1], [0, 1, -1, -1]))
    assert (found.population, found.share.n) == (2, 1)


def test_rows_given_back_after_a_round_began_widen_the_interval():
    found = label_error(checks([0] * 4, [0, 0, -1, -1], population=[True, True, False, False]))
    assert found.remaining == 0
    assert found.high == 2


@pytest.mark.parametrize("share_wrong", [0.02, 0.1])
def test_the_interval_covers_what_is_left_though_the_least_confident_are_corrected_first(
    share_wrong,
):
    n, covered, estimates, truths, naives = 600, 0, [], [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 2, n)
        wrong = rng.random(n) < share_wrong
        machine = np.where(wrong, 1 - truth, truth)
        # A measure that finds most of the wrong labels, as it should.
        suspicion = wrong + rng.normal(0, 0.4, n)
        human = np.full(n, -1)
        human[np.argsort(-suspicion)[:60]] = truth[np.argsort(-suspicion)[:60]]
        order = rng.permutation(n)
        human[order[:150]] = truth[order[:150]]
        found = label_error(checks(machine, human, order))
        left = int((wrong & (human == -1)).sum())
        covered += found.low <= left <= found.high
        estimates.append(found.remaining)
        truths.append(left)
        looked_at = human >= 0
        naives.append(n * np.mean(human[looked_at] != machine[looked_at]) - found.corrected)
    assert covered >= 0.94 * 150
    assert np.mean(estimates) == pytest.approx(np.mean(truths), abs=0.005 * n)
    # Taking whatever people looked at for a sample would find far too many.
    assert np.mean(naives) > np.mean(truths) + 0.02 * n


def test_the_error_probability_is_the_probability_of_another_label():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])
    labels = np.array([0, 1, 0, -1])
    assert label_error_probability(labels, probabilities) == pytest.approx([0.1, 0.9, 0.5, 1.0])


def test_the_least_confident_come_first_and_ties_stay():
    order = least_confident_first(
        np.array([0.1, 0.9, 0.5, 0.9]), np.array([True, True, False, True])
    )
    assert order.tolist() == [1, 3, 0]


def test_kappa_by_hand():
    # Cohen's table of 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: 0.7 observed, 0.5 by chance.
    cells = [(0, 0, 20), (0, 1, 5), (1, 0, 10), (1, 1, 15)]
    pairs = [(a, b) for a, b, times in cells for _ in range(times)]
    votes = {
        "ben": {row: b for row, (_, b) in enumerate(pairs)} | {900: 1},
        "anna": {row: a for row, (a, _) in enumerate(pairs)} | {800: 0, 900: -2},
    }
    (found,) = agreements(votes, 2)
    assert (found.first, found.second, found.n) == ("anna", "ben", 50)
    assert found.observed == pytest.approx(0.7)
    assert found.kappa == pytest.approx(0.4)
    # The asymptotic standard error, sqrt(po (1 - po) / (n (1 - pe)^2)), is 0.13.
    assert found.low == pytest.approx(0.4 - 1.96 * 0.13, abs=0.05)
    assert found.high == pytest.approx(0.4 + 1.96 * 0.13, abs=0.05)


def test_kappa_is_not_defined_where_both_used_one_class():
    (found,) = agreements({"anna": {0: 1, 1: 1}, "ben": {0: 1, 1: 1}}, 2)
    assert (found.observed, found.kappa, found.n) == (1, None, 2)


def test_each_pair_that_shares_rows_is_compared():
    votes = {"anna": {0: 0, 1: 1}, "ben": {1: 1, 0: 1}, "cleo": {7: 0}}
    assert [(a.first, a.second) for a in agreements(votes, 2)] == [("anna", "ben")]
