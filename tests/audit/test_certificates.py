"""What is certified holds where the answer is known, and is refused where nobody can know it."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from sensitivenets.audit import Split
from sensitivenets.audit.attackers.linear_quadratic import logistic_regression
from sensitivenets.audit.certificates.bayes_error import bayes_error, lower_end
from sensitivenets.audit.certificates.certify import Certificates, certify
from sensitivenets.audit.certificates.finite_outputs import bound_of, finite_outputs
from sensitivenets.audit.certificates.label_forecast import continued, label_forecast
from sensitivenets.audit.certificates.moments import accuracy_of, moment_certificate
from sensitivenets.audit.certificates.power import _ratio_of, audit_power
from sensitivenets.audit.tasks import ClassTask
from sensitivenets.embeddings import encode
from sensitivenets.serialisation import decode
from sensitivenets.serialisation import encode as to_json


def test_the_bound_by_hand():
    # Four rows of each class, in two cells: 3 of 4 right in either.
    cells = np.array([0, 0, 0, 1, 1, 1, 1, 0])
    codes = np.repeat([0, 1], 4)
    one = bound_of(cells, codes, np.arange(8), 2, "clusters")
    assert one.found == 0.75
    # Each row moves it by 1 / (2 * 4).
    assert one.bound == pytest.approx(min(0.75 + np.sqrt(np.log(20) / 2 * 8 / 64), 1))
    # Pairs in a cell: 6 + 6 of 28.
    assert one.false_match_rate == pytest.approx(12 / 28)
    assert one.false_non_match_rate is None
    # Two rows of a person move it twice as far, and are a pair.
    two = bound_of(cells, codes, np.arange(8) // 2, 2, "clusters")
    many = np.tile(cells, 100), np.tile(codes, 100)
    alone, paired = (
        bound_of(*many, people, 2, "") for people in (np.arange(800), np.arange(800) // 2)
    )
    assert paired.bound - paired.found == pytest.approx(np.sqrt(2) * (alone.bound - alone.found))
    assert two.false_non_match_rate == 0.5


@pytest.mark.parametrize("k", [2, 3])
def test_no_attacker_passes_the_bound_more_often_than_it_says(k):
    """Of cells whose best rule is known, in 300 draws of rows."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(16, 2.0), size=k)
    best = shares.max(axis=0).sum() / k
    n, passed, found = 150, 0, []
    for _ in range(300):
        cells = np.concatenate([rng.choice(16, n, p=own) for own in shares])
        one = bound_of(cells, np.repeat(np.arange(k), n), np.arange(k * n), 16, "")
        passed += best > one.bound
        found.append(one.found)
    assert passed <= 0.05 * 300
    assert np.mean(found) > best  # what is found is too large on average, as it must be


def noise_and_codes(n=800, d=12, seed=0):
    rng = np.random.default_rng(seed)
    y = encode("label", rng.integers(2, size=n))
    return rng.standard_normal((n, d)).astype(np.float32), y


def test_finer_outputs_have_wider_bounds_and_fewer_false_matches():
    X, y = noise_and_codes()
    found = finite_outputs(X, y, np.arange(800))
    for output in ("clusters", "buckets"):
        own = [one for one in found if one.output == output]
        assert [one.n_cells for one in own] == sorted(one.n_cells for one in own)
        assert [one.false_match_rate for one in own] == sorted(
            (one.false_match_rate for one in own), reverse=True
        )
        assert own[-1].bound > own[0].bound > 0.5
    code = finite_outputs(np.sign(X), y, np.arange(800))
    assert {one.output for one in code} == {"first bits"}


def test_the_moment_certificate_is_right_about_gaussians():
    X, y = noise_and_codes(4000, 10)
    nothing = moment_certificate(X, y, np.arange(4000))
    assert nothing.accuracy < 0.54
    assert nothing.high > 0.5
    X[:, 0] += 0.6 * y.codes
    shifted = moment_certificate(X, y, np.arange(4000))
    assert shifted.accuracy == pytest.approx(NormalDist().cdf(0.3), abs=0.015)
    assert shifted.more_rows > 3 > nothing.more_rows
    assert moment_certificate(X[:30], y.take(np.arange(30)), np.arange(30)) is None
    assert accuracy_of(-1.0) == 0.5


def test_a_broken_row_moves_no_certificate():
    X, y = noise_and_codes(4000, 10)
    X[:, 0] += 0.6 * y.codes
    people = np.arange(4000)
    moments, bounds = moment_certificate(X, y, people), finite_outputs(X, y, people)
    X[np.flatnonzero(y.codes == 0)[0]] *= 1e9
    assert moment_certificate(X, y, people).accuracy == pytest.approx(moments.accuracy, abs=0.015)
    for one, other in zip(finite_outputs(X, y, people), bounds, strict=True):
        assert one.false_match_rate == pytest.approx(other.false_match_rate, rel=0.2)


def test_a_curve_that_levels_off_is_continued_and_the_band_holds_what_comes():
    labels = np.geomspace(100, 5000, 8)

    def curve(m):
        return 0.75 - 0.25 * (1 + m / 800) ** -0.6

    rng = np.random.default_rng(0)
    draws = curve(labels) + 0.004 * rng.standard_normal((40, 8))
    later, much_later = continued(labels, draws, 5000 * np.array([10.0, 100.0]), 0.5)
    assert later.low < curve(50_000) < later.high
    assert much_later.low < curve(500_000) < much_later.high
    assert much_later.high - much_later.low > later.high - later.low


def learning(jump, seed=0, n=1400, d=30):
    """A shift that every row tells, or that only the last rows to learn from tell."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    X = rng.standard_normal((n, d)).astype(np.float32)
    X[:, 0] += 0.8 * (2 * y - 1) * (1 if not jump else 0)
    split = Split(np.arange(1000), np.arange(1000, n))
    task = ClassTask.make(encode("label", y), split, 0)
    return X, task, task.truth(np.arange(n), 0)


@pytest.fixture
def few_draws(monkeypatch):
    monkeypatch.setattr("sensitivenets.audit.certificates.label_forecast._DRAWS", 20)


@pytest.mark.usefixtures("few_draws")
def test_nothing_is_forecast_where_the_last_point_is_not(monkeypatch):
    X, task, truth = learning(jump=False)
    linear = replace(logistic_regression(), candidates=logistic_regression().candidates[1:2])
    good = label_forecast(linear, "raw", X, task, truth, 0)
    assert good.holds
    assert [one.labels for one in good.beyond] == [10_000, 100_000]
    assert good.beyond[0].high >= good.measured[-1].balanced_accuracy
    from sensitivenets.audit.certificates import label_forecast as module

    usual = module.predict_parts

    def with_a_jump(attacker, name, X, task, count, seed, n_seeds):
        if count == len(task.train):
            return [task.y[task.test]]
        return usual(attacker, name, X, task, count, seed, n_seeds)

    monkeypatch.setattr(module, "predict_parts", with_a_jump)
    bad = label_forecast(linear, "raw", X, task, truth, 0)
    assert not bad.holds
    assert bad.beyond == ()
    assert bad.measured[-1].balanced_accuracy == 1


def test_the_smallest_leak_that_is_found_is_smaller_with_more_rows():
    X, _ = noise_and_codes(3000, 8)
    few, many = (audit_power(X[:n], n * 2 // 3, n // 3) for n in (300, 3000))
    sizes = [
        (a.smallest or 1.0, b.smallest or 1.0, b.read, b.noise_bound)
        for a, b in zip(few, many, strict=True)
    ]
    assert all(b <= a for a, b, _, _ in sizes)
    assert sizes[0][1] < sizes[0][0] or sizes[1][1] < sizes[1][0]
    assert all(read is None or read > bound for _, _, read, bound in sizes)
    assert audit_power(np.ones((30, 4)), 20, 10) == ()


def test_a_spread_is_planted_as_large_as_it_says():
    rng = np.random.default_rng(0)
    ratio = _ratio_of(0.7)
    narrow, wide = rng.standard_normal((2, 200_000))
    wide *= ratio
    edge = np.sqrt(2 * np.log(ratio) * ratio**2 / (ratio**2 - 1))
    assert (np.mean(np.abs(narrow) < edge) + np.mean(np.abs(wide) > edge)) / 2 == pytest.approx(
        0.7, abs=0.005
    )


def test_the_bayes_error_of_one_feature_is_estimated_and_of_many_is_not_believed():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=6000)
    split = Split(np.arange(4000), np.arange(4000, 6000))
    task = ClassTask.make(encode("label", y), split, 0)
    # Labels that are right in 9 of 10 rows, and nothing between them: the estimate is exact.
    seen = np.where(rng.random(6000) < 0.1, 1 - y, y)
    X = (5.0 * seen[:, None] + rng.random((6000, 1))).astype(np.float32)
    exact = bayes_error(X, task)
    assert exact.calibrated
    assert exact.low < 0.9 < exact.high
    assert exact.accuracy == pytest.approx(0.9, abs=0.03)
    # In many features the nearest of so few rows is far, and a plain shift would be understated.
    many = rng.standard_normal((6000, 60)).astype(np.float32) + 0.3 * y[:, None]
    assert not bayes_error(many, task).calibrated
    assert lower_end(0.5, 2) == 0.5
    assert lower_end(0.0, 3) == 0.0


@pytest.mark.usefixtures("few_draws")
def test_all_certificates_of_a_table_are_written_and_read_back():
    X, y = noise_and_codes(500, 6)
    split = Split(np.arange(350), np.arange(350, 500))
    found = certify(X, {"label": y}, split)
    assert set(found.moments) == set(found.finite_outputs) == set(found.bayes_error) == {"label"}
    assert len(found.power) == 3
    assert decode(to_json(found), Certificates, "certificates") == found
    assert certify(np.ones((500, 6)), {"label": y}, split) == Certificates()
