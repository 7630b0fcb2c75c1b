"""The intervals of all results: beside scipy and beside what is known by hand."""

import numpy as np
import pytest
from scipy import stats

from sensitivenets.intervals import (
    draw_subjects,
    percentile_interval,
    rate_interval,
    rule_of_three,
    student_t_interval,
    wilson,
)


def test_a_draw_takes_as_many_subjects_as_there_are_and_a_seed_decides_which():
    draws = np.stack(list(draw_subjects(40, 300, 5)))
    assert draws.shape == (300, 40)
    assert (draws.sum(axis=1) == 40).all()
    np.testing.assert_array_equal(draws[:20], np.stack(list(draw_subjects(40, 20, 5))))
    assert not np.array_equal(draws, np.stack(list(draw_subjects(40, 300, 6))))
    # Each is taken by a Poisson's number nearly: variance 1 - 1 / n.
    assert draws.var() == pytest.approx(1 - 1 / 40, abs=0.05)


def test_the_bootstrap_of_a_mean_is_as_wide_as_its_standard_error_says():
    values = np.random.default_rng(0).standard_normal(200)
    means = np.array([times @ values / 200 for times in draw_subjects(200, 4000, 1)])
    low, high = percentile_interval(means)
    error = values.std() / np.sqrt(200)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_percentiles_leave_out_draws_without_a_figure():
    draws = np.concatenate([np.arange(41.0), [np.nan] * 9])
    assert percentile_interval(draws) == (1.0, 39.0)
    assert percentile_interval(draws[41:]) == (-np.inf, np.inf)
    assert percentile_interval(np.array([1.0, 2.0, np.inf]), "inverted_cdf") == (1.0, np.inf)


@pytest.mark.parametrize("n", [10, 100, 3000])
def test_the_rule_of_three_is_the_rate_that_shows_nothing_in_one_of_twenty(n):
    assert (1 - rule_of_three(n)) ** n == pytest.approx(0.05, abs=0.025)


def test_of_few_trials_the_rule_of_three_says_nothing():
    assert rule_of_three(0) == rule_of_three(3) == 1.0


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (0.0, 0.0, 0.0, (0.0, 0.03)),
        (1.0, 1.0, 1.0, (0.97, 1.0)),
        (0.5, 0.4, 0.6, (0.4, 0.6)),
        (0.5, 0.52, 0.6, (0.5, 0.6)),
        (0.01, -0.02, 0.03, (0.0, 0.03)),
        (0.5, -np.inf, np.inf, (0.0, 1.0)),
    ],
)
def test_the_interval_of_a_rate_holds_it_and_admits_what_was_not_seen(value, low, high, expected):
    assert rate_interval(value, low, high, 100) == pytest.approx(expected)


def test_students_interval_is_scipys_and_is_cut():
    values = np.array([0.7, 0.75, 0.72, 0.8])
    error = stats.sem(values)
    expected = stats.t.interval(0.95, 3, values.mean(), error)
    assert student_t_interval(values.mean(), error, 4) == pytest.approx(expected)
    assert student_t_interval(0.5, 10.0, 4) == (0.0, 1.0)
    assert student_t_interval(0.5, 10.0, 4, lowest=-1) == (-1, 1.0)


def test_wilson_by_hand():
    z, p, n = stats.norm.ppf(0.975), 0.9, 50
    middle, reach = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    expected = (middle - reach) / (1 + z**2 / n), (middle + reach) / (1 + z**2 / n)
    assert wilson(45, 50) == pytest.approx(expected)
