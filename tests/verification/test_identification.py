"""Identification: galleries small enough to count, and rates of people who are not enrolled."""

import numpy as np
import pytest

from sensitivenets.embeddings import encode
from sensitivenets.errors import InputError
from sensitivenets.verification.identification import identify
from sensitivenets.verification.recognition_attacks import audit_recognition


def people(n=60, rows=3, noise=0.1, d=16, seed=0):
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(n), rows)
    X = rng.standard_normal((n, d))[person] + noise * rng.standard_normal((n * rows, d))
    return X, encode("subject", person)


def test_right_and_wrong_searches_by_hand():
    # Two rows of a person agree, but for the second row of the last two: they look like each other.
    angle = np.array([0, 0.1, 1.0, 1.1, 2.0, 3.0, 3.0, 2.0])
    vectors = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    found = identify(vectors, encode("subject", list("aabbccdd")))
    assert (found.n_enrolled, found.n_searches, found.chance) == (4, 4, 0.25)
    assert found.rank_1.value == 0.5
    assert found.rank_1.low < 0.5 < found.rank_1.high


def test_rows_without_a_subject_and_people_of_one_row_are_left_out():
    X, subject = people(10)
    codes = subject.codes.copy()
    codes[:2], codes[3:6] = -1, [-1, -1, -1]
    found = identify(X, type(subject)("subject", codes, subject.classes))
    assert (found.n_enrolled, found.n_searches) == (8, 16)
    with pytest.raises(InputError, match="expected at least four people with two rows, found 3"):
        identify(X[:9], subject.take(np.arange(9)))


def test_noise_is_found_by_chance_alone():
    rng = np.random.default_rng(0)
    _, subject = people(300, rows=4)
    found = identify(rng.standard_normal((1200, 8)), subject)
    assert found.rank_1.low <= found.chance <= found.rank_1.high
    one, ten = found.open_set
    assert (one.fpir, ten.fpir) == (0.01, 0.1)
    assert ten.tpir.value < 0.02


def test_the_threshold_lets_that_share_of_strangers_through():
    X, subject = people(200, rows=3, noise=0.5)
    found = identify(X, subject, fpir_targets=(0.01, 0.1, 0.001))
    strict, loose, undefined = found.open_set
    assert undefined.tpir is None
    assert 0.5 < strict.tpir.value <= loose.tpir.value <= 1
    assert loose.tpir.value <= found.rank_1.high + 0.05


def test_an_old_table_is_searched_with_new_rows():
    X, subject = people()
    turned = X[:, ::-1].copy()
    assert identify(X, subject, enrolled=turned).rank_1.value < 0.2
    assert identify(turned, subject, enrolled=turned).rank_1.value > 0.9


def audited(after, before, subject):
    known = subject.codes < 30
    return audit_recognition(after, subject, known, before=before)


def test_a_rotation_and_a_squeeze_hide_nobody_from_comparers_fitted_anew():
    X, subject = people(60, rows=4, noise=0.3)
    rng = np.random.default_rng(1)
    squeezed = X @ np.linalg.qr(rng.standard_normal((16, 16)))[0] * np.r_[[100.0], [0.1] * 15]
    found = audited(squeezed, X, subject)
    by_name = {one.comparer: one for one in found.attempts}
    assert by_name["as they are"].identification.rank_1.value < 0.8
    assert by_name["whitened"].identification.rank_1.value > 0.9
    assert by_name["regression"].linkage
    assert by_name["regression"].identification.rank_1.value > 0.9
    assert found.strongest.identification.rank_1.value > 0.9
    assert found.lowest_eer.value < 0.1
    assert (found.n_known, found.n_attacked) == (120, 120)


def test_what_says_nothing_is_at_chance_for_every_comparer():
    X, subject = people(200, rows=3)
    noise = np.random.default_rng(2).standard_normal((600, 6))
    known = subject.codes < 100
    found = audit_recognition(noise, subject, known, before=X)
    assert found.lowest_eer.value > 0.42
    assert found.strongest.identification.rank_1.value < 0.06


def test_one_number_a_row_can_be_compared():
    X, subject = people(60, rows=4, noise=0.3)
    found = audited(X[:, :1], X, subject)
    assert found.lowest_eer.value < 0.4
    assert found.strongest.identification.rank_1.value > 2 * found.strongest.identification.chance


def test_nobody_is_on_both_sides():
    X, subject = people()
    with pytest.raises(InputError, match="expected no person on both sides"):
        audit_recognition(X, subject, np.arange(len(X)) % 2 == 0)
