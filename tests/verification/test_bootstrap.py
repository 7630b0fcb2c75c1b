"""Intervals that respect subjects: coverage on simulated populations, and the draws by hand."""

import numpy as np
import pytest

from sensitivenets.embeddings import encode
from sensitivenets.verification import verify_all_pairs
from sensitivenets.verification.bootstrap import ScoredPairs, rate_estimate, replicate
from sensitivenets.verification.rates import error_curve

DIM = 12


def _draw(rng, n_subjects):
    """Three rows a subject; subjects differ in their noise, and come in two clouds."""
    cloud = rng.choice([-0.6, 0.6], n_subjects)[:, None]
    centres = cloud + rng.standard_normal((n_subjects, DIM))
    subject = np.repeat(np.arange(n_subjects), 3)
    noise = rng.uniform(0.3, 1.2, n_subjects)[subject, None]
    return centres[subject] + noise * rng.standard_normal((len(subject), DIM)), subject


def _estimates(vectors, subject, n_bootstrap, seed=0):
    result = verify_all_pairs(
        vectors,
        encode("subject", subject),
        fmr_targets=[0.05],
        n_bootstrap=n_bootstrap,
        random_state=seed,
    )
    return result.eer, result.auc, result.fnmr_at_fmr[0].fnmr


def test_intervals_cover_the_truth_and_binomial_ones_do_not():
    rng = np.random.default_rng(0)
    truth = [e.value for e in _estimates(*_draw(rng, 2000), n_bootstrap=0)]
    n_tables = 60
    covered = np.zeros(3)
    covered_by_binomial = 0
    for seed in range(n_tables):
        estimates = _estimates(*_draw(rng, 50), n_bootstrap=120, seed=seed)
        covered += [e.low <= t <= e.high for e, t in zip(estimates, truth, strict=True)]
        auc = estimates[1]
        # What taking all pairs as independent would give.
        reach = 1.96 * np.sqrt(auc.value * (1 - auc.value) / auc.n)
        covered_by_binomial += abs(auc.value - truth[1]) <= reach
    # 95 % promised; a true coverage of 92 % gives fewer than 49 of 60 once in 200 tests.
    assert (covered >= 49).all()
    assert covered_by_binomial < 30


def test_weights_of_a_draw_by_hand():
    # Subjects 0, 1, 2; two genuine and two impostor comparisons.
    pairs = ScoredPairs(
        np.array([0.9, 0.8, 0.7, 0.1]), np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2]), 3
    )

    def rates(curve):
        return np.array([curve.fmr[2], curve.fnmr[1]])

    rows = replicate(pairs, rates, 200, random_state=5)
    np.testing.assert_allclose(rows[0], [0.5, 0.5])
    generator = np.random.default_rng(5)
    for row in rows[1:]:
        times = np.bincount(generator.integers(3, size=3), minlength=3)
        genuine, impostor = times[0] + times[1], times[0] * times[1] + times[1] * times[2]
        if not genuine or not impostor:
            assert np.isnan(row).all()
        else:
            expected = [times[0] * times[1] / impostor, 1 - times[0] / genuine]
            np.testing.assert_allclose(row, expected, atol=1e-12)


def test_first_row_is_the_curve_of_the_comparisons_as_they_are():
    rng = np.random.default_rng(0)
    left = rng.integers(30, size=500)
    right = np.where(rng.random(500) < 0.4, left, rng.integers(30, size=500))
    pairs = ScoredPairs(np.round(rng.random(500), 2), left, right, 30)
    first = replicate(pairs, lambda curve: curve.fnmr, 0, 0)[0]
    np.testing.assert_allclose(first, error_curve(pairs.scores, left == right).fnmr, atol=1e-12)


def test_weight_counts_a_comparison_more_than_once():
    rng = np.random.default_rng(0)
    left, right = rng.integers(5, size=(2, 80))
    scores, weight = np.round(rng.random(80), 1), rng.integers(1, 4, 80)
    repeated = [np.repeat(array, weight) for array in (scores, left, right)]

    def fnmr(curve):
        return curve.fnmr

    weighted = replicate(ScoredPairs(scores, left, right, 5, weight.astype(float)), fnmr, 9, 1)
    plain = replicate(ScoredPairs(*repeated, 5), fnmr, 9, 1)
    np.testing.assert_allclose(weighted, plain, atol=1e-12)


def test_many_distinct_scores_are_counted_in_cells_too_fine_to_matter():
    rng = np.random.default_rng(0)
    left = rng.integers(200, size=60_000)
    right = np.where(rng.random(60_000) < 0.3, left, rng.integers(200, size=60_000))
    scores = rng.normal(1.5 * (left == right))
    coarse = replicate(ScoredPairs(scores, left, right, 200), _fnmr_at_one_percent, 0, 0)[0]
    exact = _fnmr_at_one_percent(error_curve(scores, left == right))
    np.testing.assert_allclose(coarse, exact, atol=2e-3)


def _fnmr_at_one_percent(curve):
    return curve.fnmr[[np.searchsorted(curve.fmr, 0.01, side="right") - 1]]


def test_estimates_without_usable_draws_or_without_errors():
    nothing = rate_estimate(0.3, np.array([0.3]), 10, 5)
    assert (nothing.low, nothing.high) == (0, 1)
    unusable = rate_estimate(0.3, np.array([0.3, np.nan]), 10, 5)
    assert (unusable.low, unusable.high) == (0, 1)
    none = rate_estimate(0.0, np.zeros(50), 1000, 30)
    assert (none.low, none.high) == (0, pytest.approx(0.1))
    all_wrong = rate_estimate(1.0, np.ones(50), 1000, 2)
    assert (all_wrong.low, all_wrong.high) == (0, 1)


def test_deviations_of_a_sample_are_put_around_the_value_of_all():
    draws = np.concatenate([[0.5], np.linspace(0.4, 0.6, 101)])
    estimate = rate_estimate(0.2, draws, 100, 10)
    assert (estimate.low, estimate.high) == pytest.approx((0.105, 0.295))
