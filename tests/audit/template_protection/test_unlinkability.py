import numpy as np
import pytest
from scipy.stats import norm

from sensitivenets.audit.template_protection import measure_unlinkability
from sensitivenets.errors import InputError
from sensitivenets.verification.bootstrap import ScoredPairs


def scored(mated, non_mated):
    """One subject for each mated comparison; non-mated ones between neighbours."""
    n = len(mated)
    left = np.concatenate([np.arange(n), np.arange(len(non_mated)) % n])
    right = np.concatenate([np.arange(n), (np.arange(len(non_mated)) + 1) % n])
    return ScoredPairs(np.concatenate([mated, non_mated]), left, right, n)


def published_d_sys(mated, non_mated, omega=1.0):
    """The authors' program: histograms of equal bins, D(s), the trapezoid rule."""
    n_bins = min(int(len(mated) / 10), 100)
    both = np.concatenate([mated, non_mated])
    edges = np.linspace(both.min(), both.max(), n_bins + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    y1 = np.histogram(mated, edges, density=True)[0]
    y2 = np.histogram(non_mated, edges, density=True)[0]
    ratio = np.divide(y1, y2, out=np.ones_like(y1), where=y2 != 0)
    local = 2 * (omega * ratio / (1 + omega * ratio)) - 1
    local[omega * ratio <= 1] = 0
    local[(y2 == 0) & (y1 > 0)] = 1
    return local, np.trapezoid(local * y1, centres)


def test_a_hand_computed_case():
    # Two bins; mated 15 and 5 of 20, non-mated 5 and 15: D is (0.75 - 0.25) / 1 in the first.
    low, high = np.zeros(1), np.ones(1)
    pairs = scored(
        np.r_[np.tile(high, 15), np.tile(low, 5)], np.r_[np.tile(high, 5), np.tile(low, 15)]
    )
    result = measure_unlinkability(pairs, n_bootstrap=10)
    assert result.local.tolist() == [0.0, 0.5]
    assert result.d_sys.value == pytest.approx(0.5 * 0.75)
    assert result.d_sys.n == result.n_mated == 20


@pytest.mark.parametrize("shift", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("omega", [1.0, 0.25])
def test_it_is_what_the_authors_program_computes(shift, omega):
    rng = np.random.default_rng(0)
    mated, non_mated = rng.normal(shift, 1, 2000), rng.normal(0, 1, 4000)
    local, d_sys = published_d_sys(mated, non_mated, omega)
    result = measure_unlinkability(scored(mated, non_mated), omega=omega, n_bootstrap=2)
    np.testing.assert_allclose(result.local, local, atol=1e-12)
    # The trapezoid rule leaves out half of the outermost bins.
    assert result.d_sys.value == pytest.approx(d_sys, abs=0.01)


def test_the_interval_holds_the_measure_of_two_known_densities():
    grid = np.linspace(-8, 9, 20_001)
    p, q = norm.pdf(grid, 1.0), norm.pdf(grid, 0.0)
    true = np.trapezoid(np.maximum((p - q) / (p + q), 0) * p, grid)
    rng = np.random.default_rng(3)
    held = 0
    for seed in range(20):
        pairs = scored(rng.normal(1, 1, 1500), rng.normal(0, 1, 6000))
        estimate = measure_unlinkability(pairs, n_bootstrap=60, random_state=seed).d_sys
        held += estimate.low <= true <= estimate.high
    assert held >= 16


def test_separate_scores_are_fully_linkable():
    rng = np.random.default_rng(0)
    result = measure_unlinkability(scored(rng.random(300) + 2, rng.random(600)), n_bootstrap=20)
    assert result.d_sys.value == result.d_sys.low == 1
    assert result.linkable


def test_scores_that_say_nothing_stay_below_chance():
    rng = np.random.default_rng(0)
    below = []
    for seed in range(20):
        pairs = scored(rng.normal(size=500), rng.normal(size=1000))
        result = measure_unlinkability(pairs, n_bootstrap=20, random_state=seed)
        below.append(not result.linkable)
        assert result.d_sys.low < 0.03
    assert sum(below) >= 16


def test_constant_scores_say_nothing():
    result = measure_unlinkability(scored(np.ones(50), np.ones(60)), n_bootstrap=5)
    assert result.d_sys.value == 0
    assert not result.linkable


def test_which_end_is_alike_does_not_matter():
    rng = np.random.default_rng(1)
    mated, non_mated = rng.normal(1, 1, 500), rng.normal(0, 1, 900)
    up = measure_unlinkability(scored(mated, non_mated), n_bootstrap=5)
    down = measure_unlinkability(scored(-mated, -non_mated), n_bootstrap=5)
    assert up.d_sys.value == pytest.approx(down.d_sys.value, abs=1e-9)


def test_one_seed_gives_one_result_and_json():
    import json

    rng = np.random.default_rng(1)
    pairs = scored(rng.normal(1, 1, 100), rng.normal(0, 1, 200))
    one, two = (measure_unlinkability(pairs, n_bootstrap=30, random_state=4) for _ in range(2))
    assert one.to_dict() == two.to_dict() == json.loads(json.dumps(one.to_dict()))


@pytest.mark.parametrize(
    ("mated", "non_mated", "message"),
    [
        (np.ones(19), np.ones(9), "expected at least 20 mated .* found 19 and 9"),
        (np.ones(20), np.ones(0), "found 20 and 0"),
        (np.full(20, np.nan), np.ones(9), "expected finite scores"),
    ],
)
def test_scores_that_cannot_be_used_are_refused(mated, non_mated, message):
    with pytest.raises(InputError, match=message):
        measure_unlinkability(scored(mated, non_mated))


def test_omega_must_be_positive():
    with pytest.raises(InputError, match="omega: expected a number above 0"):
        measure_unlinkability(scored(np.ones(20), np.ones(9)), omega=0)
