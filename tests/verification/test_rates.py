"""Error rates against hand-computed cases, scikit-learn and plain loops."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import det_curve, roc_auc_score, roc_curve

from sensitivenets.errors import InputError
from sensitivenets.verification.rates import (
    area_under_curve,
    check_targets,
    curve_from_counts,
    equal_error_rate,
    error_curve,
    refusal,
    threshold_at_fmr,
)


def _scores(n=400, seed=0, decimals=2):
    """Rounded, so that many scores are tied."""
    rng = np.random.default_rng(seed)
    same = rng.random(n) < 0.4
    return np.round(rng.normal(same * 1.2, 1), decimals), same


def test_four_pairs_by_hand():
    # Genuine 0.9 and 0.4, impostor 0.6 and 0.1.
    curve = error_curve(np.array([0.9, 0.4, 0.6, 0.1]), np.array([True, True, False, False]))
    assert curve.thresholds.tolist() == [math.inf, 0.9, 0.6, 0.4, 0.1]
    assert curve.fmr.tolist() == [0, 0, 0.5, 0.5, 1]
    assert curve.fnmr.tolist() == [1, 0.5, 0.5, 0, 0]
    assert equal_error_rate(curve) == (0.5, 0.6)
    assert area_under_curve(curve) == 0.75
    at_zero = threshold_at_fmr(curve, 0.1)
    assert (at_zero.threshold, at_zero.fmr, at_zero.fnmr) == (0.9, 0, 0.5)
    at_half = threshold_at_fmr(curve, 0.5)
    assert (at_half.threshold, at_half.fmr, at_half.fnmr) == (0.4, 0.5, 0)


def test_curve_equals_scikit_learn_with_ties():
    scores, same = _scores()
    curve = error_curve(scores, same)
    fmr, tar, thresholds = roc_curve(same, scores, drop_intermediate=False)
    np.testing.assert_array_equal(curve.thresholds, thresholds)
    np.testing.assert_allclose(curve.fmr, fmr)
    np.testing.assert_allclose(curve.tar, tar)
    assert area_under_curve(curve) == pytest.approx(roc_auc_score(same, scores), abs=1e-12)


def test_curve_passes_through_scikit_learns_det_curve():
    scores, same = _scores(decimals=6)
    curve = error_curve(scores, same)
    fmr, fnmr, thresholds = det_curve(same, scores)
    at = {threshold: k for k, threshold in enumerate(curve.thresholds.tolist())}
    finite = np.isfinite(thresholds)
    rows = [at[threshold] for threshold in thresholds[finite].tolist()]
    np.testing.assert_allclose(curve.fmr[rows], fmr[finite])
    np.testing.assert_allclose(curve.fnmr[rows], fnmr[finite], atol=1e-12)


def test_rates_equal_a_loop_over_thresholds():
    scores, same = _scores(n=60)
    curve = error_curve(scores, same)
    for threshold, fmr, fnmr in zip(curve.thresholds, curve.fmr, curve.fnmr, strict=True):
        matched = [score >= threshold for score in scores]
        assert fmr == np.mean([m for m, s in zip(matched, same, strict=True) if not s])
        assert fnmr == pytest.approx(
            np.mean([not m for m, s in zip(matched, same, strict=True) if s]), abs=1e-12
        )


@pytest.mark.parametrize("target", [0.3, 0.05, 0.011])
def test_threshold_at_fmr_is_the_lowest_that_keeps_the_target(target):
    scores, same = _scores(n=1000)
    point = threshold_at_fmr(error_curve(scores, same), target)
    candidates = np.unique(scores)
    allowed = [t for t in candidates if np.mean(scores[~same] >= t) <= target]
    assert point.threshold == min(allowed)
    assert point.fmr == np.mean(scores[~same] >= point.threshold)
    assert point.fnmr == pytest.approx(np.mean(scores[same] < point.threshold))


def test_three_of_three_thousand_is_within_one_in_a_thousand():
    scores = np.concatenate([np.linspace(0, 1, 3000), [0.5]])
    same = np.arange(3001) == 3000
    assert threshold_at_fmr(error_curve(scores, same), 1e-3).fmr == 3 / 3000


@pytest.mark.parametrize(("shift", "expected"), [(50, 0.0), (-50, 1.0)])
def test_eer_of_separated_and_of_reversed_scores(shift, expected):
    scores, same = _scores()
    assert equal_error_rate(error_curve(scores + shift * same, same))[0] == expected


def test_eer_of_constant_scores_is_chance():
    rate, _ = equal_error_rate(error_curve(np.zeros(10), np.arange(10) < 3))
    assert rate == 0.5


def test_eer_of_normal_scores_is_the_textbook_value():
    # Two unit normals 2 apart cross at Phi(-1) = 0.15866.
    rng = np.random.default_rng(0)
    same = np.arange(200_000) % 2 == 0
    rate, threshold = equal_error_rate(error_curve(rng.normal(2.0 * same), same))
    assert rate == pytest.approx(0.15866, abs=0.003)
    assert threshold == pytest.approx(1, abs=0.02)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-9, 9), st.booleans()), min_size=2, max_size=40).filter(
        lambda rows: len({s for _, s in rows}) == 2
    )
)
def test_rates_depend_on_the_order_of_scores_only(rows):
    scores, same = np.array([r for r, _ in rows], float), np.array([s for _, s in rows])
    curve = error_curve(scores, same)
    permuted = np.random.default_rng(0).permutation(len(rows))
    for other in (
        error_curve(scores[permuted], same[permuted]),
        error_curve(np.exp(scores / 3), same),
    ):
        np.testing.assert_array_equal(curve.fmr, other.fmr)
        np.testing.assert_array_equal(curve.fnmr, other.fnmr)
    # Swapping the two kinds and the sign swaps the two errors.
    mirrored = error_curve(-scores, ~same)
    assert area_under_curve(mirrored) == pytest.approx(area_under_curve(curve))
    assert equal_error_rate(mirrored)[0] == pytest.approx(equal_error_rate(curve)[0])


def test_thinned_curve_keeps_ends_and_lies_on_the_curve():
    scores, same = _scores(n=20_000, decimals=9)
    curve = error_curve(scores, same)
    thin = curve.thinned(100)
    assert 50 <= len(thin.thresholds) <= 100
    assert (thin.fmr[0], thin.fmr[-1], thin.fnmr[0], thin.fnmr[-1]) == (0, 1, 1, 0)
    assert set(zip(thin.fmr, thin.fnmr, strict=True)) <= set(
        zip(curve.fmr, curve.fnmr, strict=True)
    )
    assert abs(area_under_curve(thin) - area_under_curve(curve)) < 2e-3
    as_json = json.loads(json.dumps(curve.to_dict(100), allow_nan=False))
    assert as_json["threshold"][0] is None
    assert as_json["n_impostor"] == np.count_nonzero(~same)


def test_rule_of_three():
    assert refusal(1e-3, 3000) is None
    message = refusal(1e-3, 2999)
    assert "below the resolution of 2999 impostor comparisons" in message
    assert "(3000 impostor comparisons)" in message


def test_one_kind_and_odd_targets_are_refused():
    with pytest.raises(InputError, match="found 0 genuine and 3 impostor"):
        error_curve(np.arange(3.0), np.zeros(3, bool))
    with pytest.raises(InputError, match="found 0 genuine and 0 impostor"):
        curve_from_counts(np.zeros(0), np.zeros(0), np.zeros(0))
    with pytest.raises(InputError, match=r"expected FMR targets between 0 and 1, found 1\.5"):
        check_targets([0.1, 1.5])
