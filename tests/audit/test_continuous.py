import numpy as np
import pytest

from sensitivenets.audit import Split, audit
from sensitivenets.audit.tasks import NumberTask
from sensitivenets.errors import InputError
from sensitivenets.report import AuditRecord, from_json, to_json


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((400, 6))
    age = 40 + 10 * rows[:, 0] + 3 * rng.standard_normal(400)
    age[:20] = np.nan
    after = rows.copy()
    after[:, 0] = rng.standard_normal(400)
    split = Split(np.arange(280), np.arange(280, 400))
    found = audit(rows, after, {}, split=split, continuous={"age": age}, curves=False, n_jobs=1)
    return age, found


def test_age_is_read_before_and_not_after(result):
    age = result[1].continuous[0]
    assert age.before.strongest.r2 > 0.8
    assert age.after.strongest.r2 < 0.05
    assert age.reduction > 0.9
    assert age.trustworthy
    assert age.shuffled.strongest.r2 < 0.05


def test_errors_are_compared_with_the_mean_predictor(result):
    values, found = result
    age = found.continuous[0]
    assert (age.n_train, age.n_test) == (260, 120)
    expected = np.mean(np.abs(values[280:] - np.nanmean(values[:280])))
    assert age.mean_predictor_mae == pytest.approx(expected)
    assert age.before.attackers[0].attacker == "mean predictor"
    assert age.before.attackers[0].mae == pytest.approx(expected)
    assert age.before.strongest.mae < 0.5 * expected


def test_intervals_hold_the_value(result):
    for attacker in result[1].continuous[0].before.attackers:
        assert attacker.low <= attacker.r2 <= attacker.high


def test_it_survives_json(result):
    assert from_json(to_json(result[1])) == AuditRecord.of(result[1])


def test_noise_makes_the_audit_untrustworthy():
    rng = np.random.default_rng(1)
    found = audit(
        rng.standard_normal((200, 4)),
        None,
        {},
        split=Split(np.arange(120), np.arange(120, 200)),
        continuous={"age": rng.standard_normal(200)},
        curves=False,
        n_jobs=1,
    )
    assert not found.trustworthy
    assert "age: the strongest attacker reads age from the first table with R2" in found.reasons[0]


def test_one_unknown_number_among_thousands_is_refused():
    age = np.random.default_rng(0).integers(18, 60, 9000).astype(float)
    age[100] = 999
    with pytest.raises(InputError, match="found 999 in 1 of 9000 rows"):
        NumberTask.make("age", age, Split(np.arange(7500), np.arange(7500, 9000)), 0)


@pytest.mark.parametrize("unknown", [999, -9999])
def test_numbers_that_stand_for_unknown_are_refused(unknown):
    """They have nearly all of the variance: R2 of whoever reads the other ages is nothing."""
    age = np.random.default_rng(0).integers(18, 60, 300).astype(float)
    age[[250, 270]] = unknown
    with pytest.raises(
        InputError,
        match=f"attribute 'age': expected values of one scale, found {unknown} in 2 of 300 rows "
        "and 18 to 59 in the others",
    ):
        NumberTask.make("age", age, Split(np.arange(200), np.arange(200, 300)), 0)


def test_heavy_tails_are_values():
    """Some are further out than 999 is for an age."""
    income = np.random.default_rng(0).lognormal(10, 1, 60_000)
    middle = np.quantile(income, [0.25, 0.75])
    assert income.max() > middle.mean() + 25 * np.ptp(middle)
    NumberTask.make("income", income, Split(np.arange(50_000), np.arange(50_000, 60_000)), 0)


def test_one_value_is_refused():
    with pytest.raises(InputError, match="expected at least two different values on the test rows"):
        audit(
            np.random.default_rng(0).standard_normal((30, 2)),
            None,
            {},
            split=Split(np.arange(20), np.arange(20, 30)),
            continuous={"age": np.repeat([1.0, 2.0, 5.0], 10)},
        )
