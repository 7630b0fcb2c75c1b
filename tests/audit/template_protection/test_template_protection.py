import json

import numpy as np
import pytest

from sensitivenets.audit.template_protection import (
    choose_scale,
    far_signal,
    invert_with_key,
    invert_without_key,
    measure_protection,
)
from sensitivenets.codes import CodeKey, CodeParameters, code_of_key
from sensitivenets.datasets import synthetic_diveface
from sensitivenets.embeddings import encode
from sensitivenets.errors import InputError


@pytest.fixture(scope="module")
def people():
    table = synthetic_diveface(240, 4, dim=32)
    return table, table.labels("subject")


@pytest.fixture(scope="module")
def protection(people):
    parameters = CodeParameters(32, 512, 1.0)
    return measure_protection(*people, parameters, n_known=(400,), n_bootstrap=30)


def linked(protection, adversary, mated):
    return next(
        one.unlinkability
        for one in protection.linkages
        if (one.adversary, one.mated) == (adversary, mated)
    )


def test_under_one_key_subjects_are_linked(protection):
    assert protection.same_key.d_sys.low > 0.7


@pytest.mark.parametrize("mated", ["other image", "same embedding"])
def test_after_a_rotation_a_comparison_links_nobody(protection, mated):
    result = linked(protection, "comparison", mated)
    assert result.d_sys.low < 0.03
    assert result.d_sys.value < result.chance + 0.03


def test_whoever_knows_enough_rows_under_both_keys_links_the_rest(protection):
    # The claim of a comparison alone would be false comfort; the measure says so.
    assert linked(protection, "regression", "same embedding").d_sys.low > 0.8


def test_a_large_scale_resists_that(people):
    parameters = CodeParameters(32, 512, 4.0)
    result = measure_protection(*people, parameters, n_known=(400,), n_bootstrap=10)
    assert linked(result, "regression", "same embedding").d_sys.low < 0.1


def test_a_revoked_code_is_not_accepted(protection):
    assert protection.revoked_accepted.value <= 0.01
    assert protection.revoked_accepted.high >= protection.fmr


def test_the_result_is_json_and_one_seed_gives_one_result(people, protection):
    parameters = CodeParameters(32, 512, 1.0)
    again = measure_protection(*people, parameters, n_known=(400,), n_bootstrap=30)
    assert again.to_dict() == json.loads(json.dumps(protection.to_dict()))


def test_subjects_are_needed(people):
    table, _ = people
    with pytest.raises(InputError, match="expected at least two subjects, found 1"):
        measure_protection(table, encode("who", ["ann"] * len(table)), CodeParameters(32, 64))
    alone = encode("who", [f"s{k}" for k in range(len(table))])
    with pytest.raises(InputError, match=r"expected at least 20 mated .* found 0 and 0"):
        measure_protection(table, alone, CodeParameters(32, 64))
    with pytest.raises(InputError, match=r"FMR 0.001 is below the resolution .* a larger fmr"):
        measure_protection(*people, CodeParameters(32, 64), fmr=1e-3, n_known=(), n_bootstrap=1)
    with pytest.raises(InputError, match="n_known: expected an integer of at least 1"):
        measure_protection(*people, CodeParameters(32, 64), n_known=(0,))


def test_a_key_for_each_subject_gives_unrelated_codes(people):
    table, _ = people
    key, parameters = CodeKey.from_seed(0), CodeParameters(32, 1024, 1.0)
    ann, bo = (code_of_key(key.for_subject(name), parameters) for name in ("ann", "bo"))
    rows = table.vectors[:50]
    assert np.mean(ann.pack(rows) == ann.pack(rows)) == 1
    cosines = np.vecdot(ann(rows), bo(rows))
    assert np.abs(cosines).max() < 5 / np.sqrt(1024)
    assert key.for_subject("ann") == key.for_subject("ann")


def test_a_code_without_its_key_is_undone_by_known_pairs_only_at_small_scales(people):
    table, _ = people
    cosines = []
    for scale in (1.0, 2.0, 4.0):
        code = code_of_key(CodeKey.from_seed(0), CodeParameters(32, 512, scale))
        result = invert_without_key(code(table.vectors), table.vectors, 500)
        cosines.append(result.cosine)
        assert (result.n_fit, result.n_test) == (500, len(table) - 500)
        assert result.chance_cosine < 0.3
    assert cosines[0] > 0.9
    assert cosines[0] > cosines[1] > cosines[2]
    assert cosines[2] < 0.5


def test_unrelated_codes_are_not_undone(people):
    table, _ = people
    noise = np.random.default_rng(0).choice([-1.0, 1.0], size=(len(table), 128))
    result = invert_without_key(noise, table.vectors, 500)
    assert result.cosine < result.chance_cosine + 0.1
    assert result.r2 < 0.05


def test_a_public_code_is_handed_to_the_inversion_attack_of_the_audit(monkeypatch, people):
    from sensitivenets.audit import inversion

    monkeypatch.setattr(inversion, "_FIRST_ROWS", 2000)
    monkeypatch.setattr(inversion, "_MOST", 1)
    monkeypatch.setattr(inversion, "_FEWEST", 1)
    table, _ = people
    code = code_of_key(CodeKey.from_seed(0), CodeParameters(32, 128, 0.5))
    result = invert_with_key(code, table.vectors, 600)
    assert result.cosine > 0.6 > 0.1 > result.chance_cosine
    assert result.n_test == len(table) - 600


def test_known_rows_must_leave_some(people):
    table, _ = people
    code = np.ones((len(table), 8), dtype=np.float32)
    with pytest.raises(InputError, match="known rows: expected fewer than the 960 embeddings"):
        invert_without_key(code, table.vectors, 960)
    with pytest.raises(InputError, match="known rows: expected an integer of at least 2"):
        invert_without_key(code, table.vectors, 1)
    with pytest.raises(InputError, match="expected one for each of 960 embeddings, found 7"):
        invert_without_key(code[:7], table.vectors, 500)


@pytest.fixture(scope="module")
def choice(people):
    table, subjects = people
    return choose_scale(
        table.vectors,
        subjects,
        0.05,
        scales=(1.0, 2.0, 3.0),
        n_bits=(64, 512),
        n_pairs=600,
        n_keys=2,
        n_bootstrap=20,
    )


def test_the_chosen_code_tells_least_within_the_budget(choice):
    assert len(choice.points) == 6
    within = [point for point in choice.points if point.loss.value <= 0.05]
    assert 0 < len(within) < 6
    assert choice.chosen.far_signal == min(point.far_signal for point in within)
    assert json.loads(json.dumps(choice.to_dict()))["budget"] == 0.05


def test_more_bits_lose_less_and_tell_more(choice):
    few, many = choice.points[:3], choice.points[3:]
    for one, two in zip(few, many, strict=True):
        assert two.loss.value < one.loss.value
        assert two.far_signal == pytest.approx(one.far_signal * np.sqrt(8))


def test_a_larger_budget_never_chooses_what_tells_more(people, choice):
    least = max(point.loss.value for point in choice.points)
    table, subjects = people
    options = {"scales": (1.0, 3.0), "n_bits": (512,), "n_pairs": 600, "n_bootstrap": 5}
    all_allowed = choose_scale(table.vectors, subjects, min(least + 0.1, 1.0), **options)
    assert all_allowed.chosen.far_signal <= choice.chosen.far_signal


def test_a_budget_that_no_code_keeps_names_the_least_loss(people):
    table, subjects = people
    with pytest.raises(InputError, match=r"no code loses at most 0 points; the least loss is \d"):
        choose_scale(
            table.vectors, subjects, 0.0, scales=(3.0,), n_bits=(8,), n_pairs=200, n_bootstrap=2
        )
    with pytest.raises(InputError, match="budget: expected a number at least 0"):
        choose_scale(table.vectors, subjects, -1)


def test_the_far_signal_is_the_spread_over_the_noise_of_simulated_codes():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((400, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    left, right = rows[:200], rows[200:]
    distances = np.linalg.norm(left - right, axis=1)
    parameters = CodeParameters(16, 256, 1.0)
    shares = np.stack([
        (1 - np.vecdot(code(left), code(right))) / 2
        for code in (code_of_key(CodeKey.from_seed(k), parameters) for k in range(60))
    ])
    measured = shares.mean(axis=0).std() / shares.std(axis=0).mean()
    assert far_signal(distances, 1.0, 256) == pytest.approx(measured, rel=0.1)
    assert far_signal(distances, 5.0, 256) < 0.01
    assert far_signal(np.zeros(3), 1.0, 256) == 0


def test_comparisons_are_one_of_each_subject_mated_and_ten_with_others():
    from sensitivenets.audit.template_protection.linkage import _Comparisons

    subject = np.random.default_rng(0).permutation(np.repeat(np.arange(30), 3))
    subject = np.append(subject, 30)
    for mated, n in (("other image", 30), ("same embedding", 31)):
        drawn = _Comparisons.draw(subject, mated, np.random.default_rng(1))
        same = drawn.left_subject == drawn.right_subject
        np.testing.assert_array_equal(drawn.left_subject, subject[drawn.left])
        np.testing.assert_array_equal(drawn.right_subject, subject[drawn.right])
        assert sorted(drawn.left_subject[same]) == list(range(n))
        assert np.count_nonzero(~same) == 10 * n
        assert ((drawn.left == drawn.right)[same] == (mated == "same embedding")).all()
