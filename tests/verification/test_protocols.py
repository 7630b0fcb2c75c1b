"""The LFW protocols and `verify`, against loops, hand-computed cases and the real LFW."""

import itertools
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sensitivenets.embeddings import EmbeddingTable, encode, read_table
from sensitivenets.errors import InputError
from sensitivenets.verification import make_pairs, read_pairs, verify
from sensitivenets.verification.scores import cosine_scores, squared_distances
from sensitivenets.verification.thresholds import (
    best_threshold,
    best_threshold_accuracy,
    cross_validated_accuracy,
    decide_accuracy,
    trained_threshold_accuracy,
)


def _subjects(n_subjects=40, n_each=4, dim=16, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(n_subjects), n_each)
    centres = rng.standard_normal((n_subjects, dim))
    vectors = centres[subject] + noise * rng.standard_normal((len(subject), dim))
    return vectors.astype(np.float32), subject


def _random_pairs(subject, n=2000, n_folds=10, seed=0):
    rng = np.random.default_rng(seed)
    left = rng.integers(len(subject), size=n)
    partner = rng.integers(len(subject), size=n)
    genuine = np.arange(n) % 2 == 0
    right = np.where(genuine, left // 4 * 4 + (left + 1) % 4, partner)
    right = np.where(right == left, (right + 1) % len(subject), right)
    return make_pairs(left, right, subject[left] == subject[right], np.arange(n) // 2 % n_folds)


def test_cosines_and_distances_by_hand():
    vectors = np.array([[3, 0], [0, 2], [5, 5], [-1, 0]], dtype=np.float32)
    pairs = make_pairs([0, 0, 0], [1, 2, 3], [True, True, False])
    scores = cosine_scores(vectors, pairs)
    np.testing.assert_allclose(scores, [0, np.sqrt(0.5), -1], atol=1e-12)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = ((unit[pairs.left] - unit[pairs.right]) ** 2).sum(axis=1)
    np.testing.assert_allclose(squared_distances(scores), expected, atol=1e-6)


@pytest.mark.parametrize("block_pairs", [1, 7, 1999, 10_000])
def test_scores_do_not_depend_on_blocks(block_pairs):
    vectors, subject = _subjects()
    pairs = _random_pairs(subject)
    np.testing.assert_array_equal(
        cosine_scores(vectors, pairs, block_pairs=block_pairs), cosine_scores(vectors, pairs)
    )


def test_best_threshold_beats_every_other():
    rng = np.random.default_rng(0)
    for _ in range(50):
        n = rng.integers(1, 30)
        scores, same = rng.integers(0, 8, n) / 8, rng.random(n) < 0.5
        chosen = decide_accuracy(scores, same, best_threshold(scores, same))
        candidates = [-1, *(scores + 1e-9), 2]
        assert chosen == max(decide_accuracy(scores, same, t) for t in candidates)


def test_best_threshold_takes_the_middle_of_the_widest_gap():
    scores, same = np.array([0.0, 0.25, 0.5, 1.0]), np.array([False, False, False, True])
    assert best_threshold(scores, same) == 0.75
    # Neighbouring floats: the middle would round to the lower one, which must not match.
    low = 0.5
    high = np.nextafter(low, 1)
    assert best_threshold(np.array([low, high]), np.array([False, True])) == high


def test_best_threshold_needs_a_pair():
    with pytest.raises(InputError, match="expected pairs to choose a threshold on, found none"):
        best_threshold(np.zeros(0), np.zeros(0, bool))


def test_view_2_equals_a_loop_over_folds():
    rng = np.random.default_rng(1)
    same = np.arange(300) % 2 == 0
    scores = rng.normal(1.5 * same)
    fold = rng.integers(10, size=300)
    accuracies = []
    for k in range(10):
        train = fold != k
        tried = {}
        for low, high in itertools.pairwise(np.sort(scores[train])):
            right = sum((scores[train] >= high) == same[train])
            tried[right, high - low] = (low + high) / 2
        decided = (scores[fold == k] >= tried[max(tried)]) == same[fold == k]
        accuracies.append(decided.mean())
    result = cross_validated_accuracy(scores, same, fold)
    assert result.folds == pytest.approx(accuracies)
    assert result.value == pytest.approx(np.mean(accuracies))
    assert result.standard_error == pytest.approx(np.std(accuracies, ddof=1) / np.sqrt(10))
    # 2.262 is Student's t for 9 degrees of freedom.
    assert result.estimate.high - result.value == pytest.approx(2.262 * result.standard_error, 1e-3)


def test_view_2_chooses_thresholds_on_other_folds():
    # Fold 0 separates at 0.5, fold 1 at 5: each is decided with the other's threshold.
    scores = np.array([0.0, 1.0, 4.5, 5.5])
    same = np.array([False, True, False, True])
    result = cross_validated_accuracy(scores, same, np.array([0, 0, 1, 1]))
    assert result.thresholds == (5.0, 0.5)
    assert result.folds == (0.5, 0.5)
    assert best_threshold_accuracy(scores, same).value == 0.75


def test_view_1_uses_the_training_pairs():
    training = np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True])
    test = np.array([0.3, 0.6, 0.4, 0.7]), np.array([False, False, True, True])
    trained = trained_threshold_accuracy(*training, *test)
    assert trained.thresholds == (0.5,)
    assert trained.value == 0.5
    assert trained.chosen_on == "4 training pairs"
    assert "optimistic" in best_threshold_accuracy(*test).chosen_on
    # Wilson interval of 2 of 4.
    assert (trained.estimate.low, trained.estimate.high) == pytest.approx(
        (0.1500, 0.8500), abs=1e-4
    )


def test_verify_joins_the_parts():
    vectors, subject = _subjects()
    pairs = _random_pairs(subject)
    result = verify(vectors, pairs, n_bootstrap=50)
    scores = cosine_scores(vectors, pairs)
    assert result.protocol == "view2"
    assert result.accuracy == cross_validated_accuracy(scores, pairs.same, pairs.fold)
    assert result.n_genuine == np.count_nonzero(pairs.same)
    point = result.fnmr_at_fmr[0]
    assert np.mean(scores[~pairs.same] >= point.threshold) == point.fmr <= 1e-2
    assert np.mean(scores[pairs.same] < point.threshold) == pytest.approx(point.fnmr.value)
    assert result.tar_at_far(0.01).value == pytest.approx(1 - point.fnmr.value)
    assert result.tar_at_far(0.01).low == pytest.approx(1 - point.fnmr.high)
    for estimate in (result.eer, result.auc, point.fnmr):
        assert estimate.low <= estimate.value <= estimate.high
        assert estimate.low < estimate.high


def test_verify_view_1_trains_on_other_pairs():
    vectors, subject = _subjects()
    pairs = _random_pairs(subject)
    test, training = pairs.take(pairs.fold < 5), pairs.take(pairs.fold >= 5)
    result = verify(vectors, test, protocol="view1", training=training, n_bootstrap=5)
    threshold = best_threshold(cosine_scores(vectors, training), training.same)
    assert result.accuracy.thresholds == (threshold,)
    assert result.accuracy.value == np.mean(
        (cosine_scores(vectors, test) >= threshold) == test.same
    )
    assert result.accuracy.chosen_on == "1000 training pairs"


def test_verify_refuses_an_fmr_below_the_resolution():
    vectors, subject = _subjects()
    result = verify(vectors, _random_pairs(subject), n_bootstrap=10)
    point = result.fnmr_at_fmr[-1]
    assert (point.target_fmr, point.fnmr, point.tar, point.threshold) == (1e-4, None, None, None)
    assert "below the resolution" in point.refused
    with pytest.raises(InputError, match="below the resolution"):
        result.tar_at_far(1e-4)
    with pytest.raises(InputError, match=r"expected one of the FMR targets 0.01, .*found 0\.5"):
        result.tar_at_far(0.5)


@pytest.mark.parametrize("protocol", ["view1", "view2"])
def test_result_is_json(protocol):
    vectors, subject = _subjects()
    pairs = _random_pairs(subject)
    sex = encode("sex", np.array(["f", "m"])[subject % 2])
    result = verify(vectors, pairs, protocol=protocol, groups={"sex": sex}, n_bootstrap=20)
    as_json = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert as_json["accuracy"]["value"] == result.accuracy.value
    assert as_json["fnmr_at_fmr"][2]["refused"]
    assert as_json["groups"][0]["attribute"] == "sex"
    assert set(as_json["roc"]) == {"threshold", "fmr", "fnmr", "n_genuine", "n_impostor"}
    assert "FMR = FNMR" in as_json["eer"]["method"]


def test_rotation_scale_and_order_of_pairs_do_not_matter():
    vectors, subject = _subjects()
    pairs = _random_pairs(subject)
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.standard_normal((16, 16)))[0]
    plain = verify(vectors, pairs, n_bootstrap=20)
    turned = verify((vectors * rng.uniform(0.1, 9, (len(vectors), 1))) @ rotation, pairs)
    shuffled = verify(vectors, pairs.take(rng.permutation(len(pairs))), n_bootstrap=20)
    for other in (turned, shuffled):
        assert other.eer.value == pytest.approx(plain.eer.value, abs=1e-12)
        assert other.accuracy.folds == pytest.approx(plain.accuracy.folds)
        assert other.auc.value == pytest.approx(plain.auc.value, abs=1e-9)
    assert shuffled.eer == plain.eer


def test_same_seed_same_intervals():
    vectors, subject = _subjects()
    pairs = _random_pairs(subject)
    first, second, other = (
        verify(vectors, pairs, n_bootstrap=30, random_state=seed) for seed in (3, 3, 4)
    )
    assert first.to_dict() == second.to_dict()
    assert first.eer.value == other.eer.value
    assert first.eer != other.eer


def test_perfect_scores_do_not_get_a_perfect_interval():
    vectors, subject = _subjects(noise=1e-3)
    result = verify(vectors, _random_pairs(subject), subject=encode("subject", subject))
    fnmr = result.fnmr_at_fmr[0].fnmr
    # Rule of three: 40 subjects without a miss leave room for 3 / 40.
    assert (fnmr.value, fnmr.low, fnmr.high) == (0, 0, pytest.approx(3 / 40))
    assert result.auc.value == 1
    assert result.auc.low < 1


def test_collapsed_embeddings_are_at_chance():
    _, subject = _subjects()
    result = verify(np.ones((len(subject), 3)), _random_pairs(subject), n_bootstrap=10)
    assert result.eer.value == 0.5
    assert result.auc.value == 0.5
    assert result.fnmr_at_fmr[0].fnmr.value == 1
    assert result.fnmr_at_fmr[0].to_dict()["threshold"] is None


def test_pathological_input_is_named():
    vectors, subject = _subjects()
    pairs = _random_pairs(subject)
    table = EmbeddingTable(vectors, pa.table({}), "faces.parquet")
    with pytest.raises(InputError, match=r"but faces\.parquet has rows 0 to 159"):
        verify(table, make_pairs([0, 1], [1, 400], [True, False]))
    with pytest.raises(InputError, match="found 0 genuine and 9 impostor"):
        verify(table, pairs.take(~pairs.same).take(np.arange(9)))
    with pytest.raises(InputError, match=r"at least 2 folds \(LFW has 10\), found 1; use protocol"):
        verify(table, pairs.take(pairs.fold == 0), protocol="view2")
    with pytest.raises(InputError, match="expected protocol 'view1' or 'view2', found 'view3'"):
        verify(table, pairs, protocol="view3")
    with pytest.raises(InputError, match="training pairs are for protocol view1"):
        verify(table, pairs, training=pairs)
    with pytest.raises(InputError, match="row 5: zero vector"):
        verify(np.where(np.arange(160)[:, None] == 5, 0, vectors), pairs)
    with pytest.raises(InputError, match="identity 'subject': expected one label for each of 160"):
        verify(table, pairs, subject=encode("subject", subject[:5]))
    with pytest.raises(InputError, match="sex: expected one label for each of 160 rows, found 2"):
        verify(table, pairs, groups={"sex": encode("sex", ["f", "m"])})


def test_pairs_that_contradict_the_subjects_are_named():
    vectors, subject = _subjects()
    wrong = make_pairs([0, 0, 4], [1, 4, 5], [True, False, False])
    with pytest.raises(
        InputError, match=r"pair 2: given as impostor, but column 'subject' says '1"
    ):
        verify(vectors, wrong, subject=encode("subject", subject))
    triangle = make_pairs([0, 1, 0], [1, 2, 2], [True, True, False])
    with pytest.raises(InputError, match="pair 2: rows 0 and 2 are an impostor pair, but genuine"):
        verify(vectors, triangle)


@pytest.fixture(scope="module")
def lfw():
    folder = os.environ.get("SENSITIVENETS_DATA")
    if not folder:
        pytest.skip("SENSITIVENETS_DATA is unset: no real faces to verify")
    return Path(folder)


def test_real_lfw_view_2(lfw):
    table = read_table(lfw / "lfw.parquet")
    pairs = read_pairs(lfw / "lfw_pairs.parquet", protocol="view2")
    result = verify(table, pairs, subject=table.labels("subject"), n_bootstrap=100)
    assert (result.n_genuine, result.n_impostor) == (3000, 3000)
    # 26 of 6 000 pairs are decided wrongly: 99.57 %.
    assert result.accuracy.value == pytest.approx(1 - 26 / 6000)
    assert result.accuracy.standard_error == pytest.approx(0.00132, abs=1e-5)
    assert result.eer.value == pytest.approx(0.005)
    assert result.tar_at_far(1e-3).value == pytest.approx(1 - 28 / 3000)
    assert result.fnmr_at_fmr[2].refused


def test_real_lfw_view_1(lfw):
    table = read_table(lfw / "lfw.parquet")
    pairs = read_pairs(lfw / "lfw_pairs.parquet", protocol="view1_test")
    result = verify(table, pairs, n_bootstrap=10)
    assert result.protocol == "view1"
    assert result.accuracy.value == pytest.approx(0.992)
    assert "optimistic" in result.accuracy.chosen_on
