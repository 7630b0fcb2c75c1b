"""The audit from tables to result, on small made-up tables."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.naive_bayes import GaussianNB

from sensitivenets.audit import Split, audit, quick_audit, split_by_identity
from sensitivenets.audit.attack import Workers
from sensitivenets.audit.attackers.catalogue import class_attackers, full_plan
from sensitivenets.audit.attackers.linear_quadratic import (
    logistic_regression,
    quadratic,
    regularised_qda,
)
from sensitivenets.audit.attackers.local_votes import nearest_neighbours
from sensitivenets.audit.run import run_audit
from sensitivenets.embeddings import Labels
from sensitivenets.engines.processes import Processes
from sensitivenets.errors import InputError
from sensitivenets.report import AuditRecord, from_json, to_json


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def without_gender(rows):
    return unit(rows[:, 1:])


def fast(**tables):
    """The full audit with four attackers on each preparation, and no curves."""
    attackers = (logistic_regression(), regularised_qda(), quadratic(), nearest_neighbours())
    plan = replace(full_plan({}, curves=False), attackers=attackers, joint_attackers=())
    return run_audit(**tables, plan=plan, random_state=0, workers=Workers(), progress=None)


class Fails(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        raise ArithmeticError("no luck")


@pytest.fixture(scope="module")
def full(people):
    rows, labels, subject = people()
    # Every attacker, but only its first parameters.
    brief = tuple(replace(a, candidates=a.candidates[:1], n_seeds=1) for a in class_attackers())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sensitivenets.audit.attackers.catalogue.class_attackers", lambda: brief)
        return audit(
            rows,
            without_gender(rows),
            labels,
            split=split_by_identity(subject, 0.4),
            attackers={"naive Bayes": GaussianNB(), "unlucky": Fails()},
            n_jobs=1,
        )


def test_what_was_removed_is_gone_and_what_was_not_is_still_read(full):
    gender, group = full.attributes
    assert gender.before.strongest.balanced_accuracy > 0.85
    assert not gender.after.strongest.above_chance
    assert gender.reduction.reduction > 0.7
    assert group.after.strongest.balanced_accuracy > 0.8
    assert abs(group.reduction.reduction) < 0.2
    # So few test rows leave a wide interval, and nothing else is amiss.
    assert all("the interval is wide" in reason for reason in full.reasons)
    assert "no attacker reads gender better than noise would" in gender.after.notes


def test_reduction_is_that_of_table_i(full):
    for attribute in full.attributes:
        for found in (attribute.reduction, *attribute.reductions):
            if found.reduction is None:
                continue
            expected = (found.before - found.after) / (found.before - 1 / len(attribute.classes))
            assert found.reduction == pytest.approx(expected)
            assert found.low <= found.reduction <= found.high
    named = {found.attacker for found in full.attributes[0].reductions}
    assert {"RBF-SVM", "MLP", "random forest", "naive Bayes", "voting ensemble"} <= named


def test_the_battery_holds_every_attacker_of_the_design(full):
    names = {attacker.attacker for attacker in full.attributes[0].before.attackers}
    assert names == {
        "majority class",
        "logistic regression",
        "RBF-SVM",
        "regularised QDA",
        "QDA by groups",
        "quadratic",
        "MLP",
        "histogram gradient boosting",
        "random forest",
        "nearest neighbours",
        "gallery vote",
        "label spreading",
        "pseudo-labels",
        "learned-metric kernel",
        "number reader",
        "digit reader",
        "naive Bayes",
        "unlucky",
        "voting ensemble",
    }
    shown = {a.preparation for a in full.attributes[0].before.attackers if a.attacker == "RBF-SVM"}
    assert shown == {"raw", "standardised", "whitened"}  # unit rows: l2 is raw


def test_the_strongest_is_the_largest_and_its_interval_the_widest(full):
    for attribute in full.attributes:
        battery = attribute.before
        values = [a.balanced_accuracy for a in battery.attackers if a.balanced_accuracy is not None]
        best = battery.strongest
        assert best.balanced_accuracy == max(values)
        own = next(
            a
            for a in battery.attackers
            if (a.attacker, a.preparation) == (best.attacker, best.preparation)
        )
        assert best.high - best.low > 0.9 * (own.high - own.low)
        assert battery.selected.validation == max(
            a.validation for a in battery.attackers if a.validation is not None
        )


def test_a_failing_attacker_is_reported_and_never_dropped(full):
    unlucky = [a for a in full.attributes[0].after.attackers if a.attacker == "unlucky"]
    assert len(unlucky) == 3
    assert all(a.balanced_accuracy is None for a in unlucky)
    assert unlucky[0].notes == ("failed: ArithmeticError: no luck",)
    assert "gender, after: unlucky on raw failed: ArithmeticError: no luck" in full.notes


def test_the_joint_attribute_crosses_the_others(full):
    assert full.joint.name == "gender x group"
    assert full.joint.chance == pytest.approx(1 / 6)
    assert len(full.joint.before.attackers) < len(full.attributes[0].before.attackers)


def test_controls_are_there_and_hold(full):
    for attribute in full.attributes:
        assert attribute.controls.shuffled_at_chance
        assert attribute.controls.raw_above_chance
        assert attribute.controls.random_projection.strongest.above_chance


def test_curves_rise_with_labels_and_fall_with_features(full):
    battery = full.attributes[0].before
    labels = [point.x for point in battery.learning_curve.points]
    assert labels == [100, 240]
    shares = [point.x for point in battery.removal_curve.points]
    assert shares == [0.0, 0.2, 0.4, 0.6, 0.8, 0.98]
    points = battery.removal_curve.points
    assert points[0].balanced_accuracy > points[-1].balanced_accuracy
    assert all(p.low <= p.balanced_accuracy <= p.high for p in points)
    assert full.joint.before.learning_curve is None


def test_the_code_is_short_where_the_label_is_easy(full):
    before, after = (full.attributes[0].before, full.attributes[0].after)
    assert before.description_length.uniform_bits_per_row == 1.0
    assert before.description_length.bits_per_row < after.description_length.bits_per_row
    assert after.description_length.bits_per_row < 1.2


def test_the_result_survives_json(full):
    assert from_json(to_json(full)) == AuditRecord.of(full)


def test_the_same_seed_gives_the_same_report_whatever_the_processes(people):
    rows, labels, subject = people()
    split = split_by_identity(subject, 0.4)
    texts = [
        to_json(quick_audit(rows, None, labels, split=split, random_state=seed, **workers))
        for seed, workers in (
            (3, {"n_jobs": 1}),
            (3, {"n_jobs": 2}),
            (3, {"engine": Processes(2).map}),
            (4, {"n_jobs": 1}),
        )
    ]
    assert texts[0] == texts[1] == texts[2]
    assert texts[0] != texts[3]


def test_quick_is_table_i(people):
    rows, labels, subject = people()
    steps = []
    result = quick_audit(
        rows,
        without_gender(rows),
        labels,
        split=split_by_identity(subject, 0.4),
        n_jobs=1,
        progress=lambda done, total, what: steps.append((done, total, what)),
    )
    assert result.mode == "quick"
    assert [found.attacker for found in result.attributes[0].reductions] == [
        "NN",
        "SVM",
        "RF",
        "voting ensemble",
    ]
    assert {a.preparation for a in result.attributes[0].after.attackers[1:4]} == {"standardised"}
    assert result.joint is None
    assert [done for done, _, _ in steps] == list(range(1, steps[-1][1] + 1))


def test_a_projection_of_equal_rank_is_the_control_of_lost_capacity(people):
    rows, labels, subject = people()
    result = fast(
        before=rows,
        after=rows[:, 4:],
        attributes={"gender": labels["gender"]},
        split=split_by_identity(subject, 0.4),
    )
    control = result.attributes[0].controls.random_projection
    # Cutting the features of gender loses it; losing as many random directions does not.
    assert not result.attributes[0].after.strongest.above_chance
    assert control.strongest.above_chance


def test_a_map_that_can_be_undone_is_attacked_through_its_inverse(monkeypatch, people):
    monkeypatch.setattr("sensitivenets.audit.inversion._MOST", 5)
    monkeypatch.setattr("sensitivenets.audit.inversion._HIDDEN", 32)
    rows, labels, subject = people()
    mix = np.random.default_rng(1).standard_normal((8, 8)).astype(np.float32)
    result = fast(
        before=rows,
        after=rows @ mix,
        attributes={"gender": labels["gender"]},
        split=split_by_identity(subject, 0.4),
        phi=lambda X: X @ mix,
    )
    gender = result.attributes[0]
    assert result.inversion.r2 > 0.99
    assert [threat.name for threat in gender.threats] == ["map secret", "map public"]
    secret, public = (threat.strongest.balanced_accuracy for threat in gender.threats)
    assert secret == gender.after.strongest.balanced_accuracy
    assert public == max(secret, gender.inverted.strongest.balanced_accuracy)
    assert gender.strongest == gender.threats[1].strongest
    assert gender.inverted.representation == "inverted"


def test_one_table_alone_that_reads_nothing_proves_nothing(people):
    rows, labels, subject = people()
    split = split_by_identity(subject, 0.4)
    result = quick_audit(
        without_gender(rows), None, {"gender": labels["gender"]}, split=split, n_jobs=1
    )
    assert result.attributes[0].after is None
    assert not result.trustworthy
    message = "gender: the strongest attacker reads gender from the table at"
    assert any(reason.startswith(message) for reason in result.reasons)


def test_test_rows_copied_from_training_rows_are_not_trusted(people):
    rows, labels, _ = people()
    rows[200:] = rows[:200]
    split = Split(np.arange(200), np.arange(200, 400))
    result = quick_audit(rows, None, {"group": labels["group"]}, split=split, n_jobs=1)
    assert "100 % of the test rows are copies of training rows" in result.reasons[0]
    assert not result.trustworthy


def test_unlabelled_rows_are_left_out(people):
    rows, labels, subject = people()
    codes = labels["gender"].codes.copy()
    codes[::3] = -1
    some = Labels("gender", codes, labels["gender"].classes)
    result = quick_audit(
        rows, None, {"gender": some}, split=split_by_identity(subject, 0.4), n_jobs=1
    )
    counts = (*result.attributes[0].train_counts, *result.attributes[0].test_counts)
    assert sum(counts) == np.sum(codes >= 0)


def test_a_failing_control_makes_the_audit_untrustworthy(full):
    from sensitivenets.audit.comparison import _reasons
    from sensitivenets.audit.tasks import ClassTask

    gender = full.attributes[0]
    none = np.empty(0, dtype=np.int64)
    task = ClassTask("gender", none, none, none, none, none, gender.classes)
    broken = dataclasses.replace(gender.controls, shuffled_at_chance=False)
    reasons = _reasons(task, broken, gender.before, gender.strongest, single=False)
    assert reasons[0].startswith("the audit is broken: attackers trained on shuffled labels reach")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"after": np.ones((5, 2))}, "expected 400 rows as in the table before, found 5 in table"),
        ({"attributes": {}}, "expected at least one attribute, found none"),
        ({"split": Split(np.array([0]), np.array([900]))}, "row numbers below 400, found 900"),
        ({"before": np.full((400, 2), np.nan)}, "table before, row 0, feature 0: NaN"),
        ({"attackers": {"MLP": GaussianNB()}}, "'MLP' is already in the battery"),
        ({"continuous": {"age": np.ones((400, 2))}}, "'age': expected one number a row"),
        ({"continuous": {"age": np.ones(400)}}, "'age': expected at least two different values"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(change, message, people):
    rows, labels, subject = people()
    arguments = {
        "before": rows,
        "after": None,
        "attributes": {"gender": labels["gender"]},
        "split": split_by_identity(subject, 0.4),
    } | change
    with pytest.raises(InputError, match=message):
        audit(
            arguments.pop("before"),
            arguments.pop("after"),
            arguments.pop("attributes"),
            **arguments,
        )
