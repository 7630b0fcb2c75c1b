"""Pairs within domains and across them: exact counts, and what a shift between domains does."""

import json

import numpy as np
import pytest

from sensitivenets.embeddings import Labels, encode
from sensitivenets.errors import InputError
from sensitivenets.verification import (
    AllPairsResult,
    VerificationResult,
    make_pairs,
    verify,
    verify_all_pairs,
)
from sensitivenets.verification.pair_kinds import KindSizes, PairKind
from sensitivenets.verification.pair_sampling import plan_sample
from sensitivenets.verification.rates import equal_error_rate, error_curve
from sensitivenets.verification.score_histograms import count_scores
from sensitivenets.verification.subject_rows import SubjectRows


@pytest.fixture(scope="module")
def people():
    """Thirty subjects of five rows, by two cameras, of which one adds an offset: rows, subject,
    camera; some rows do not say their camera."""
    rng = np.random.default_rng(0)
    subject = rng.permutation(np.repeat(np.arange(30), 5))
    camera = rng.integers(2, size=len(subject))
    X = rng.normal(size=(30, 8))[subject] + 0.6 * rng.normal(size=(len(subject), 8))
    X[:, 0] += np.where(camera == 1, 3.0, 0.0)
    known = np.where(rng.random(len(camera)) < 0.1, -1, camera)
    return X, encode("subject", subject), Labels("camera", known, ("front", "side"))


def by_double_loop(people, across):
    X, subject, camera = people
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    left, right = np.triu_indices(len(X), 1)
    kept = (camera.codes[left] >= 0) & (camera.codes[right] >= 0)
    kept &= (camera.codes[left] != camera.codes[right]) == across
    left, right = left[kept], right[kept]
    scores = np.einsum("ij,ij->i", unit[left], unit[right])
    return scores, subject.codes[left] == subject.codes[right]


def test_each_kind_equals_the_double_loop(people):
    X, subject, camera = people
    found = verify_all_pairs(X, subject, domain=camera, n_bootstrap=10)
    assert found.domains.domain == "camera"
    assert [kind.kind for kind in found.domains.kinds] == ["within", "across"]
    for kind, across in zip(found.domains.kinds, (False, True), strict=True):
        scores, same = by_double_loop(people, across)
        assert (kind.n_genuine, kind.n_impostor) == (same.sum(), (~same).sum())
        eer, _ = equal_error_rate(error_curve(scores, same))
        assert kind.eer.value == pytest.approx(eer, abs=1e-3)
        assert kind.eer.low <= kind.eer.value <= kind.eer.high
        point = kind.fnmr_at_fmr[0]
        assert point.fmr == np.mean(scores[~same] >= point.threshold) <= point.target_fmr
        assert point.tar.value == pytest.approx(np.mean(scores[same] >= point.threshold))
        for comparison in found.domains.at_one_threshold:
            rates = comparison.groups[across]
            assert rates.group == kind.kind
            assert rates.fmr.value == np.mean(scores[~same] >= comparison.threshold)
            assert rates.fnmr.value == pytest.approx(np.mean(scores[same] < comparison.threshold))


def test_who_is_shifted_between_domains_is_missed_across_them(people):
    found = verify_all_pairs(*people[:2], domain=people[2], n_bootstrap=10).domains
    within, across = found.kinds
    assert across.eer.value > within.eer.value + 0.01
    # Strangers of one camera look alike: one threshold accepts them, and refuses friends of two.
    rates = found.at_one_threshold[0].groups
    assert rates[0].fmr.value > 2 * rates[1].fmr.value
    assert rates[1].fnmr.value > rates[0].fnmr.value + 0.2


def test_given_pairs_and_all_pairs_agree(people):
    X, subject, camera = people
    left, right = np.triu_indices(len(X), 1)
    pairs = make_pairs(left, right, subject.codes[left] == subject.codes[right])
    listed = verify(X, pairs, subject=subject, domain=camera, n_bootstrap=10)
    counted = verify_all_pairs(X, subject, domain=camera, n_bootstrap=10)
    for one, other in zip(listed.domains.kinds, counted.domains.kinds, strict=True):
        assert (one.n_subjects, one.n_genuine) == (other.n_subjects, other.n_genuine)
        assert one.eer.value == pytest.approx(other.eer.value, abs=1e-3)
        assert (one.eer.low, one.eer.high) == pytest.approx(
            (other.eer.low, other.eer.high), abs=5e-3
        )
    for result, kind in ((listed, VerificationResult), (counted, AllPairsResult)):
        written = json.loads(json.dumps(result.to_dict()))
        assert kind.from_dict(written).domains == result.domains
        written.pop("domains")
        assert kind.from_dict(written).domains is None


@pytest.mark.parametrize("across", [False, True])
def test_a_sample_of_a_kind_weighs_as_much_as_its_pairs(across):
    rng = np.random.default_rng(1)
    X, subject = rng.normal(size=(900, 4)), np.repeat(np.arange(300), 3)
    rows = SubjectRows.of(X, subject)
    # Of one domain in thirty few pairs are of two: still enough to be thinned.
    kind = PairKind((np.arange(900) % 30 == 0).astype(np.int64), across)
    sizes = KindSizes(rows, kind)
    plan = plan_sample(rows.unit, rows.codes, sizes.n_genuine, sizes.n_impostor, kind=kind, seed=0)
    counted = count_scores(rows, plan, kind=kind, memory_limit=2**30)
    assert counted.genuine.sum() == sizes.n_genuine
    assert counted.impostor.sum() == sizes.n_impostor
    sample = counted.sample(rows, plan)
    impostors = sample.weight[~sample.same].sum()
    assert impostors == pytest.approx(sizes.n_impostor, rel=0.05)
    weighted = np.average(sample.scores[~sample.same], weights=sample.weight[~sample.same])
    assert weighted == pytest.approx(0, abs=0.05)


def test_a_kind_without_genuine_pairs_is_refused(people):
    X, subject, _ = people
    own = Labels("camera", subject.codes, subject.classes)
    within, across = verify_all_pairs(X, subject, domain=own, n_bootstrap=5).domains.kinds
    assert across.eer is None
    assert across.refused.startswith("0 genuine and")
    assert within.refused.endswith("0 impostor pairs within domains; both kinds are needed")
    with pytest.raises(InputError, match="domain 'camera': expected one label for each of 150"):
        verify_all_pairs(X, subject, domain=own.take(np.arange(9)))
