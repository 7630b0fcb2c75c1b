"""All pairs of a table: block counting against the plain double loop, groups, and limits."""

import itertools
import json
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from sensitivenets.embeddings import encode, read_table
from sensitivenets.engines import InProcess
from sensitivenets.engines.processes import Processes
from sensitivenets.errors import InputError
from sensitivenets.intervals import Estimate
from sensitivenets.verification import make_pairs, verify, verify_all_pairs
from sensitivenets.verification.bootstrap import ScoredPairs
from sensitivenets.verification.groups import GroupPairs, compare_groups, rates_at
from sensitivenets.verification.operating_points import OperatingPoint
from sensitivenets.verification.pair_sampling import plan_sample
from sensitivenets.verification.rates import error_curve
from sensitivenets.verification.score_histograms import RESOLUTION, count_scores
from sensitivenets.verification.subject_rows import SubjectRows

ROOM = 2**30


def _population(n_subjects=60, dim=8, noise=0.8, seed=0, largest=6):
    """Subjects of 1 to `largest` rows, in mixed order."""
    rng = np.random.default_rng(seed)
    subject = rng.permutation(np.repeat(np.arange(n_subjects), 1 + np.arange(n_subjects) % largest))
    centres = rng.standard_normal((n_subjects, dim))
    return centres[subject] + noise * rng.standard_normal((len(subject), dim)), subject


def _dyadic(n_subjects, n_each, seed=0):
    """Rows of four entries +-1/2 among eight: unit length, and cosines exact multiples of 1/4."""
    rng = np.random.default_rng(seed)
    vectors = np.zeros((n_subjects * n_each, 8), dtype=np.float32)
    for row in vectors:
        row[rng.choice(8, 4, replace=False)] = rng.choice([-0.5, 0.5], 4)
    return vectors, rng.permutation(np.repeat(np.arange(n_subjects), n_each))


def _double_loop(vectors, subject):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = list(itertools.combinations(range(len(unit)), 2))
    scores = np.array([unit[i] @ unit[j] for i, j in rows])
    return scores, np.array([subject[i] == subject[j] for i, j in rows])


def test_rates_equal_the_double_loop():
    vectors, subject = _population()
    scores, same = _double_loop(vectors, subject)
    result = verify_all_pairs(vectors, encode("subject", subject), n_bootstrap=20)
    exact = error_curve(scores, same)
    assert (result.n_genuine, result.n_impostor) == (exact.n_genuine, exact.n_impostor)
    assert result.auc.value == pytest.approx(float(np.trapezoid(exact.tar, exact.fmr)), abs=1e-5)
    for point in result.fnmr_at_fmr[:2]:
        assert point.fmr == np.mean(scores[~same] >= point.threshold) <= point.target_fmr
        assert point.fnmr.value == pytest.approx(np.mean(scores[same] < point.threshold))
        # One impostor more, and the FMR would exceed the target.
        next_lower = scores[~same][scores[~same] < point.threshold].max()
        assert np.mean(scores[~same] >= next_lower) > point.target_fmr


def test_all_pairs_and_the_list_of_all_pairs_agree():
    vectors, subject = _population()
    labels = encode("subject", subject)
    left, right = np.triu_indices(len(vectors), 1)
    pairs = make_pairs(left, right, subject[left] == subject[right])
    listed = verify(vectors, pairs, subject=labels, n_bootstrap=60)
    blocked = verify_all_pairs(vectors, labels, n_bootstrap=60)
    assert blocked.eer.value == pytest.approx(listed.eer.value, abs=1e-3)
    # Few pairs: all are kept for the bootstrap, so that the intervals agree too.
    for ours, theirs in (
        (blocked.eer, listed.eer),
        (blocked.auc, listed.auc),
        (blocked.fnmr_at_fmr[0].fnmr, listed.fnmr_at_fmr[0].fnmr),
    ):
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=5e-3)


@pytest.mark.parametrize("n_each", [1, 3, 100, 450])
def test_counts_are_exact_whatever_blocks_and_threads(n_each):
    n_subjects = 900 // n_each
    vectors, subject = _dyadic(n_subjects, n_each)
    rows = SubjectRows.of(vectors, subject)
    gram = vectors @ vectors.T
    upper = np.triu(np.ones_like(gram, bool), 1)
    same = subject[:, None] == subject
    smallest = 4 * 8 * (2**18 + 512) + 24 * 256**2
    for n_jobs, memory, engine in (
        (1, ROOM, None),
        (1, smallest, None),
        (3, ROOM, None),
        (1, ROOM, InProcess(2)),
        (1, ROOM, Processes(2)),
    ):
        histograms = count_scores(rows, memory_limit=memory, n_jobs=n_jobs, engine=engine)
        for counts, mask in (
            (histograms.genuine, upper & same),
            (histograms.impostor, upper & ~same),
        ):
            filled = np.flatnonzero(counts)
            values, expected = np.unique(gram[mask], return_counts=True)
            np.testing.assert_array_equal((filled - 2**17 - 256) * RESOLUTION, values)
            np.testing.assert_array_equal(counts[filled], expected)


def test_permutation_and_threads_do_not_change_rates():
    vectors, subject = _population(n_subjects=150)
    plain = verify_all_pairs(vectors, encode("subject", subject), n_bootstrap=10)
    threads = verify_all_pairs(vectors, encode("subject", subject), n_bootstrap=10, n_jobs=2)
    order = np.random.default_rng(1).permutation(len(subject))
    permuted = verify_all_pairs(vectors[order], encode("subject", subject[order]), n_bootstrap=10)
    for other in (threads, permuted):
        assert other.eer.value == pytest.approx(plain.eer.value, abs=1e-4)
        assert other.auc.value == pytest.approx(plain.auc.value, abs=1e-5)
        assert other.fnmr_at_fmr[0].fnmr.value == pytest.approx(
            plain.fnmr_at_fmr[0].fnmr.value, abs=3e-3
        )


def test_unlabelled_rows_are_dropped_and_counted():
    vectors, subject = _population()
    known = np.arange(len(subject)) % 5 > 0
    values = [str(s) if k else None for s, k in zip(subject, known, strict=True)]
    partly = verify_all_pairs(vectors, encode("subject", values), n_bootstrap=5)
    only = verify_all_pairs(vectors[known], encode("subject", subject[known]), n_bootstrap=5)
    assert partly.n_unlabelled == np.count_nonzero(~known)
    assert partly.n_rows == np.count_nonzero(known)
    assert partly.n_subjects == only.n_subjects == len(np.unique(subject[known]))
    assert partly.eer.value == only.eer.value


def test_the_sample_for_the_bootstrap_estimates_the_whole():
    """Strata with inverse probabilities: the sample's FMR is that of all pairs, tail included."""
    rng = np.random.default_rng(0)
    subject = np.repeat(np.arange(1000), 2)
    rows = SubjectRows.of(rng.standard_normal((2000, 12)), subject)
    sizes = rows.n_genuine, rows.n_impostor
    plan = plan_sample(rows.unit, rows.codes, *sizes, fmr_levels=(0.2, 0.02, 0.002), seed=0)
    histograms = count_scores(rows, plan, memory_limit=ROOM)
    sample = histograms.sample(rows, plan)
    assert len(sample.scores) < 0.13 * rows.n_impostor
    curve = histograms.curve()
    impostor = ~sample.same
    assert sample.weight[impostor].sum() == pytest.approx(rows.n_impostor, rel=0.02)
    assert sample.weight[sample.same].sum() == rows.n_genuine
    for target in (0.5, 0.1, 1e-2, 1e-3, 1e-4):
        threshold = curve.thresholds[np.searchsorted(curve.fmr, target)]
        estimate = sample.weight[impostor & (sample.scores >= threshold)].sum() / rows.n_impostor
        assert estimate == pytest.approx(target, rel=0.06)


def test_the_sample_does_not_depend_on_blocks_or_threads():
    vectors, subject = _dyadic(300, 2)
    rows = SubjectRows.of(vectors, subject)
    plan = plan_sample(
        rows.unit, rows.codes, rows.n_genuine, rows.n_impostor, cutoffs=(0.2,), seed=1
    )
    one, two = (
        count_scores(rows, plan, memory_limit=memory, n_jobs=n_jobs)
        for memory, n_jobs in ((ROOM, 1), (3 * (4 * 8 * (2**18 + 512) + 24 * 256**2), 3))
    )
    assert len(one.sampled)
    np.testing.assert_array_equal(one.sampled, two.sampled)
    np.testing.assert_array_equal(one.sampled_scores, two.sampled_scores)


def test_random_impostors_of_the_plan_are_uniform():
    """One subject has nearly all rows: its pairs with the others are nearly all there are."""
    subject = np.sort(np.concatenate([np.zeros(500_000, int), [1, 2]]))
    unit = np.ones((len(subject), 1), dtype=np.float32)
    plan = plan_sample(unit, subject, 1, 1_000_001, cutoffs=(2.0,), seed=0)
    ends = subject[plan.body]
    assert (ends[:, 0] != ends[:, 1]).all()
    with_one = np.mean((ends == 1).any(axis=1))
    assert with_one == pytest.approx(0.5, abs=0.01)


def test_memory_stays_within_the_limit():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((3000, 32)).astype(np.float32)
    labels = encode("subject", np.arange(3000) // 3)
    limit = 48 * 2**20
    tracemalloc.start()
    result = verify_all_pairs(vectors, labels, n_bootstrap=3, memory_limit=limit)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.n_impostor == 3000 * 2999 // 2 - 3000
    assert peak < limit


def _grouped(seed=0):
    """Group b is noisier, and its people are more alike: more errors of both kinds."""
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(120), 4)
    is_b = subject % 3 == 0
    centres = rng.standard_normal((120, 10))
    centres[::3] += 1.2 * np.ones(10)
    noise = np.where(is_b, 1.1, 0.7)[:, None]
    vectors = centres[subject] + noise * rng.standard_normal((480, 10))
    return vectors, subject, np.where(is_b, "b", "a")


def test_rows_know_where_they_came_from():
    vectors, subject = _population()
    rows = SubjectRows.of(vectors, subject)
    part = rows.take(rows.order % 2 == 0)
    for some in (rows, part):
        unit = vectors[some.order] / np.linalg.norm(vectors[some.order], axis=1, keepdims=True)
        np.testing.assert_allclose(some.unit, unit, atol=1e-6)
        np.testing.assert_array_equal(subject[some.order], some.codes)
        assert (np.diff(some.codes) >= 0).all()
    assert sorted(part.order) == list(range(0, len(subject), 2))


def test_rates_at_a_threshold_by_hand():
    curve = error_curve(np.array([0.9, 0.4, 0.6, 0.1]), np.array([True, True, False, False]))
    rates = rates_at(curve, np.array([0.95, 0.6, 0.5, 0.1]))
    np.testing.assert_array_equal(rates, [[0, 0.5, 0.5, 1], [1, 0.5, 0.5, 0]])


def test_ratio_interval_lies_around_the_ratio_of_all_pairs():
    """Both groups have one sample, so its ratio is 1 in every draw; that of all pairs is 1.7."""
    rng = np.random.default_rng(0)
    left = rng.integers(100, size=20_000)
    right = np.where(rng.random(20_000) < 0.3, left, rng.integers(100, size=20_000))
    scores = rng.permutation(np.linspace(0, 1, 20_000))
    sample = ScoredPairs(scores, left, right, 100)
    curve = error_curve(scores, sample.same)
    raised = error_curve(np.sqrt(scores), sample.same)
    groups = {
        "a": GroupPairs(curve, sample, 100, 100, 6000, 14_000),
        "b": GroupPairs(raised, sample, 100, 100, 6000, 14_000),
    }
    point = OperatingPoint(0.3, Estimate(0.5, 0.5, 0.5, 1), 0.3, threshold=0.7)
    (comparison,) = compare_groups([("g", groups)], (point,), n_bootstrap=50, random_state=0)
    ratio = comparison.fmr_ratio
    assert ratio.value == pytest.approx(0.51 / 0.3, rel=0.03)
    assert ratio.low == pytest.approx(ratio.value)
    assert ratio.high == pytest.approx(ratio.value)


def test_group_rates_equal_a_loop_at_the_global_threshold():
    vectors, subject, group = _grouped()
    result = verify_all_pairs(
        vectors, encode("subject", subject), {"group": encode("group", group)}, n_bootstrap=100
    )
    point = result.fnmr_at_fmr[0]
    comparison = result.groups[0]
    assert (comparison.attribute, comparison.target_fmr) == ("group", 0.01)
    assert comparison.threshold == point.threshold
    for rates in comparison.groups:
        scores, same = _double_loop(vectors[group == rates.group], subject[group == rates.group])
        assert (rates.n_genuine, rates.n_impostor) == (same.sum(), (~same).sum())
        assert rates.fmr.value == np.mean(scores[~same] >= point.threshold)
        assert rates.fnmr.value == pytest.approx(np.mean(scores[same] < point.threshold))
        assert rates.fmr.low < rates.fmr.value < rates.fmr.high
    a, b = comparison.groups
    ratio = comparison.fmr_ratio
    assert (ratio.highest, ratio.lowest) == ("b", "a")
    assert ratio.value == pytest.approx(b.fmr.value / a.fmr.value)
    assert 1 < ratio.low < ratio.value < ratio.high
    values = a.fnmr.value, b.fnmr.value
    assert comparison.fnmr_ratio.value == pytest.approx(max(values) / min(values))


def test_group_rates_of_listed_pairs_are_the_same():
    vectors, subject, group = _grouped()
    labels, groups = encode("subject", subject), {"group": encode("group", group)}
    left, right = np.triu_indices(len(vectors), 1)
    pairs = make_pairs(left, right, subject[left] == subject[right])
    listed = verify(vectors, pairs, subject=labels, groups=groups, n_bootstrap=5).groups[0]
    blocked = verify_all_pairs(vectors, labels, groups, n_bootstrap=5).groups[0]
    for ours, theirs in zip(listed.groups, blocked.groups, strict=True):
        assert (ours.n_subjects, ours.n_genuine) == (theirs.n_subjects, theirs.n_genuine)
        assert ours.fmr.value == pytest.approx(theirs.fmr.value, rel=0.02)
        assert ours.fnmr.value == pytest.approx(theirs.fnmr.value, rel=0.02)


def test_equal_groups_have_a_ratio_whose_interval_holds_one():
    vectors, subject = _population(n_subjects=300, noise=1.0, seed=3)
    group = encode("group", np.array(["a", "b"])[subject % 2])
    result = verify_all_pairs(
        vectors, encode("subject", subject), {"g": group}, fmr_targets=[1e-2], n_bootstrap=200
    )
    assert result.groups[0].fmr_ratio.low < 1 < result.groups[0].fmr_ratio.high


def test_small_groups_are_listed_but_not_measured():
    vectors, subject, group = _grouped()
    group = np.where(subject < 6, "few", group)
    group[subject == 119] = "one"
    labels = encode("group", group)
    result = verify_all_pairs(vectors, encode("subject", subject), {"group": labels}, n_bootstrap=5)
    rates = {g.group: g for g in result.groups[0].groups}
    assert rates["few"].fmr is None
    assert rates["few"].fmr_refused == "group 'few' has 6 subjects, at least 20 needed"
    assert "6 subjects with two rows or more" in rates["few"].fnmr_refused
    assert rates["one"].fmr_refused
    assert rates["one"].n_genuine == 6
    assert result.groups[0].fmr_ratio.highest in {"a", "b"}
    lenient = verify_all_pairs(
        vectors,
        encode("subject", subject),
        {"group": labels},
        min_group_subjects=1,
        n_bootstrap=5,
    )
    one = {g.group: g for g in lenient.groups[0].groups}["one"]
    assert "below the resolution of 0 impostor" in one.fmr_refused
    assert "6 genuine and 0 impostor pairs; both kinds" in one.fnmr_refused


def test_ratio_is_refused_without_errors_or_with_one_group():
    vectors, subject = _population(noise=1e-3)
    labels = encode("subject", subject)
    halves = encode("half", np.array(["a", "b"])[subject % 2])
    result = verify_all_pairs(vectors, labels, {"half": halves}, n_bootstrap=5)
    assert "no error was seen in group 'a'" in result.groups[0].fnmr_ratio.refused
    whole = encode("whole", ["a"] * len(subject))
    result = verify_all_pairs(vectors, labels, {"whole": whole}, n_bootstrap=5)
    assert result.groups[0].fmr_ratio.refused == "figures of at least 2 groups needed, found 1"


def test_result_is_json():
    vectors, subject, group = _grouped()
    result = verify_all_pairs(
        vectors, encode("subject", subject), {"group": encode("group", group)}, n_bootstrap=5
    )
    as_json = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert as_json["n_impostor"] == result.n_impostor
    assert as_json["groups"][0]["fmr_ratio"]["value"] == result.groups[0].fmr_ratio.value
    assert as_json["resolution"] <= 1e-5


def test_progress_ends_at_its_total():
    vectors, subject = _population(n_subjects=200)
    told = []
    verify_all_pairs(
        vectors, encode("subject", subject), n_bootstrap=2, progress=lambda *step: told.append(step)
    )
    assert [done for done, _, _ in told] == list(range(1, told[0][1] + 1))
    assert told[-1][2] == "all pairs"


def test_pathological_input_is_named():
    vectors, subject = _population()
    n = len(subject)
    with pytest.raises(InputError, match=f"expected one label for each of {n} rows, found 3"):
        verify_all_pairs(vectors, encode("subject", [1, 2, 3]))
    with pytest.raises(InputError, match="sex: expected one label for each"):
        verify_all_pairs(vectors, encode("subject", subject), {"sex": encode("sex", ["f"])})
    with pytest.raises(InputError, match=f"found {n} subjects of one row each"):
        verify_all_pairs(vectors, encode("subject", np.arange(n)))
    with pytest.raises(InputError, match="expected at least two subjects, found 1 among"):
        verify_all_pairs(vectors, encode("subject", np.zeros(n)))
    with pytest.raises(
        InputError, match="expected at least two subjects, found 0 among 0 labelled"
    ):
        verify_all_pairs(vectors, encode("subject", [None] * n))
    with pytest.raises(InputError, match="expected memory for 1 float32 copies of"):
        verify_all_pairs(vectors, encode("subject", subject), memory_limit=1000)
    with pytest.raises(InputError, match=r"raise memory_limit \(verify --memory-limit\)"):
        verify_all_pairs(vectors, encode("subject", subject), memory_limit=2**20)
    with pytest.raises(InputError, match="NaN, infinite or overflowing"):
        verify_all_pairs(vectors * np.nan, encode("subject", subject))


def test_real_lfw_all_pairs():
    folder = os.environ.get("SENSITIVENETS_DATA")
    if not folder:
        pytest.skip("SENSITIVENETS_DATA is unset: no real faces to verify")
    table = read_table(Path(folder) / "lfw.parquet")
    result = verify_all_pairs(
        table, table.labels("subject"), table.attributes(["gender"]), n_bootstrap=10
    )
    assert (result.n_genuine, result.n_impostor) == (242_257, 87_307_271)
    assert result.fnmr_at_fmr[1].tar.value == pytest.approx(0.99782, abs=2e-5)
    assert result.fnmr_at_fmr[2].fmr == pytest.approx(1e-4, rel=1e-3)
    assert result.groups[0].fmr_ratio.highest == "Female"


@pytest.mark.parametrize("frame", ["pandas", "torch"])
def test_vectors_come_as_a_person_has_them(frame):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((40, 6)).astype(np.float32)
    people = encode("subject", [f"s{k // 2}" for k in range(40)])
    module = pytest.importorskip(frame)
    given = module.DataFrame(rows) if frame == "pandas" else module.tensor(rows, requires_grad=True)
    found = verify_all_pairs(given, people, n_bootstrap=0)
    assert found.eer.value == verify_all_pairs(rows, people, n_bootstrap=0).eer.value


def test_an_engine_changes_no_digit_of_the_result():
    vectors, subject = _population(n_subjects=150)
    labels = encode("subject", subject)
    here, there = (
        verify_all_pairs(vectors, labels, n_bootstrap=10, engine=engine)
        for engine in (InProcess(1), Processes(2))
    )
    assert here.to_dict() == there.to_dict()
