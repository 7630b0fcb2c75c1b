import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from sensitivenets.embeddings import encode, read_table
from sensitivenets.errors import InputError
from sensitivenets.fairness import (
    EqualityOfOpportunity,
    Predictions,
    check_cells,
    draw_biased_split,
    equality_of_opportunity,
    group_rates,
    predict_test_rows,
)
from sensitivenets.fairness.summary import mean_over_seeds


class SignOfFirst(ClassifierMixin, BaseEstimator):
    """Positive where the first feature is; learns nothing, so that results can be computed."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return X[:, 0] > 0


def labels_of(n_cell, people_a_row=1):
    hired = np.repeat(["yes", "yes", "no", "no"], n_cell)
    group = np.repeat(["w", "m", "w", "m"], n_cell)
    return encode("hired", hired), encode("group", group), np.arange(4 * n_cell) // people_a_row


def gaussian(n_cell=1500, seed=0):
    """Return x = (task + noise, group shown exactly) and phi(x) = (task + noise, nothing)."""
    rng = np.random.default_rng(seed)
    hired, group, subjects = labels_of(n_cell)
    task = np.where(hired.codes == 1, 1.0, -1.0) + rng.normal(size=len(hired))
    shown = np.where(group.codes == 1, 1.0, -1.0) + 0.05 * rng.normal(size=len(hired))
    before = np.stack([task, shown], axis=1)
    after = np.stack([task, rng.normal(size=len(hired))], axis=1)
    return before, after, hired, group, subjects


def test_rates_of_eight_rows_counted_by_hand():
    # Favoured: 3 positives, 2 found. Other: 2 positives, 1 found. Right: 3 + 2 of 8 (see below).
    predictions = Predictions(
        rows=np.arange(8),
        expected=np.array([1, 1, 1, 0, 1, 1, 0, 0], dtype=bool),
        predicted=np.array([1, 1, 0, 1, 1, 0, 0, 0], dtype=bool),
        is_favoured=np.array([1, 1, 1, 1, 0, 0, 0, 0], dtype=bool),
    )
    rates = group_rates(predictions)
    assert rates.tpr_favoured == pytest.approx(2 / 3)
    assert rates.tpr_other == pytest.approx(1 / 2)
    assert rates.gap == pytest.approx(1 / 6)
    assert rates.accuracy == pytest.approx(5 / 8)


def test_sign_of_the_gap_is_that_of_table_iii_own_rates():
    # SN, attractiveness: TPR F 81.4, TPR M 87.5. The table prints 6.8; the difference is -6.1.
    expected = np.ones(2000, dtype=bool)
    favoured = np.arange(2000) < 1000
    predicted = np.r_[np.arange(1000) < 814, np.arange(1000) < 875]
    rates = group_rates(Predictions(np.arange(2000), expected, predicted, favoured))
    assert rates.gap == pytest.approx(-0.061)


def test_split_has_the_shares_of_section_4_4_and_no_subject_on_both_sides():
    hired, group, subjects = labels_of(500, people_a_row=2)
    cells = check_cells(hired, group, subjects, None, "w")
    split = draw_biased_split(cells, 3)
    positive, favoured = cells.is_positive[split.train], cells.is_favoured[split.train]
    assert positive.mean() == pytest.approx(0.5)
    assert favoured[positive].mean() == pytest.approx(0.7, abs=0.002)
    assert favoured[~positive].mean() == pytest.approx(0.3, abs=0.002)
    for outcome in (True, False):
        tested = cells.is_positive[split.test] == outcome
        assert cells.is_favoured[split.test][tested].mean() == 0.5
    assert not np.intersect1d(subjects[split.train], subjects[split.test]).size
    assert len(np.unique(split.train)) == len(split.train)
    # Nothing is wasted: the frequent cells are used up on at least one side.
    per_cell = min(len(cells.rows(p, p, ~np.isin(subjects, subjects[split.test]))) for p in (0, 1))
    assert len(split.train) >= 2 * per_cell


@pytest.mark.parametrize("bias", [0.5, 0.6, 0.9])
def test_any_bias_is_met(bias):
    hired, group, subjects = labels_of(400)
    cells = check_cells(hired, group, subjects, None, "w")
    train = draw_biased_split(cells, 0, bias=bias).train
    positive = cells.is_positive[train]
    assert cells.is_favoured[train][positive].mean() == pytest.approx(bias, abs=0.01)


def test_result_computed_by_hand_for_a_classifier_that_learns_nothing():
    hired, group, subjects = labels_of(60)
    # Every favoured positive is found, no other positive is, every negative is refused.
    found = (hired.codes == 1) & (group.codes == 1)
    x = np.where(found, 1.0, -1.0)[:, None]
    result = equality_of_opportunity(
        x, -x, hired, group, subjects, favoured="w", classifier=SignOfFirst()
    )
    assert result.before.tpr_favoured.value == 1
    assert result.before.tpr_other.value == 0
    assert (result.before.gap.low, result.before.gap.value, result.before.gap.high) == (1, 1, 1)
    assert result.before.accuracy.value == 0.75
    # -x turns every answer round: favoured positives are missed, all else is accepted.
    assert result.after.gap.value == -1
    assert result.after.absolute_gap.value == 1
    assert result.after.accuracy.value == 0.25
    assert result.absolute_gap_reduction.value == 0


def test_gap_of_two_gaussians_is_the_one_theory_gives():
    # log odds = 2 t + log(7/3) for the favoured group where t ~ N(1, 1) among positives, so the
    # Bayes rule finds Phi(1 + log(7/3)/2) of them, and Phi(1 - log(7/3)/2) of the other group.
    before, after, hired, group, subjects = gaussian(4000)
    shift = np.log(7 / 3) / 2
    expected = stats.norm.cdf(1 + shift) - stats.norm.cdf(1 - shift)
    result = equality_of_opportunity(
        before,
        after,
        hired,
        group,
        subjects,
        favoured="w",
        classifier=LogisticRegression(C=1000),
    )
    assert result.before.gap.value == pytest.approx(expected, abs=0.03)
    assert result.before.gap.low > 0.1
    assert abs(result.after.gap.value) < 0.04
    assert result.after.gap.low < 0 < result.after.gap.high
    assert result.absolute_gap_reduction.low > 0.1
    assert result.after.accuracy.value > result.before.accuracy.value
    assert result.notes == ()


def test_the_default_machine_sees_the_bias_and_its_absence():
    before, after, hired, group, subjects = gaussian(300)
    result = equality_of_opportunity(before, after, hired, group, subjects, favoured="w")
    assert result.before.gap.low > 0.05
    assert abs(result.after.gap.value) < 0.1


def test_an_unbiased_training_set_leaves_no_gap():
    before, _, hired, group, subjects = gaussian()
    result = equality_of_opportunity(
        before, None, hired, group, subjects, bias=0.5, classifier=LogisticRegression(C=1000)
    )
    assert abs(result.before.gap.value) < 0.04
    assert result.after is None
    assert result.absolute_gap_reduction is None


def test_same_seeds_same_result_and_json_holds_all_of_it():
    before, after, hired, group, subjects = gaussian(60)
    first, again = (
        equality_of_opportunity(before, after, hired, group, subjects, seeds=(4, 9))
        for _ in range(2)
    )
    assert first == again
    data = json.loads(json.dumps(first.to_dict()))
    assert data["before"]["gap"]["value"] == first.before.gap.value
    assert [run["seed"] for run in data["runs"]] == [4, 9]
    assert data["runs"][0]["after"]["gap"] == first.runs[0].after.gap
    assert EqualityOfOpportunity.from_dict(data) == first
    # Results of the time before decisions and rules are read, too.
    earlier = {name: value for name, value in data.items() if name not in {"decisions", "rules"}}
    assert EqualityOfOpportunity.from_dict(earlier) == first
    del data["before"]["gap"]
    with pytest.raises(InputError, match=r"fairness.before: .* lacks \['gap'\]; run it again"):
        EqualityOfOpportunity.from_dict(data)


def test_favoured_and_positive_are_chosen_as_documented():
    hired, group, subjects = labels_of(60)
    keep = np.r_[0:60, 60:90, 120:150, 180:240]  # 60 w and 30 m hired, 30 w and 60 m not
    cells = check_cells(hired.take(keep), group.take(keep), subjects[keep], None, None)
    assert (cells.positive, cells.negative) == ("yes", "no")
    assert (cells.favoured, cells.other) == ("w", "m")
    chosen = check_cells(hired.take(keep), group.take(keep), subjects[keep], "no", None)
    assert (chosen.positive, chosen.favoured) == ("no", "m")


def test_rows_without_a_label_or_subject_are_dropped_and_counted():
    before, after, hired, group, subjects = gaussian(60)
    for codes, row in ((hired.codes, 0), (group.codes, 61), (subjects, 125), (subjects, 0)):
        codes[row] = -1
    cells = check_cells(hired, group, subjects, None, "w")
    drawn = draw_biased_split(cells, 0)
    assert not np.isin([0, 61, 125], np.r_[drawn.train, drawn.test]).any()
    result = equality_of_opportunity(before, after, hired, group, subjects, seeds=(0, 1))
    assert result.dropped == 3


def test_a_collapsed_representation_has_no_gap_and_is_called_meaningless():
    before, _, hired, group, subjects = gaussian(60)
    constant = np.ones_like(before)
    steps = []
    result = equality_of_opportunity(
        before, constant, hired, group, subjects, progress=lambda *step: steps.append(step)
    )
    assert result.after.gap.value == 0
    assert len(result.notes) == 1
    assert "after: the classifier is not better than chance" in result.notes[0]
    assert steps[0] == (1, 10, "hired, seed 0")
    assert len(steps) == 10


def test_corrected_interval_against_the_formula():
    values = [0.4, 0.5, 0.6, 0.7]
    estimate = mean_over_seeds(values, test_share=0.25)
    half = stats.t.ppf(0.975, 3) * np.sqrt(np.var(values, ddof=1) * (1 / 4 + 1 / 3))
    assert (estimate.value, estimate.n) == (pytest.approx(0.55), 4)
    assert estimate.low == pytest.approx(0.55 - half)
    assert estimate.high == pytest.approx(0.55 + half)
    assert half > 0.2
    cut = mean_over_seeds([0.9, 1.0], test_share=0.25)
    assert (cut.low, cut.high) == (
        pytest.approx(0.95 - 12.706 * np.sqrt(0.005 * 5 / 6), abs=1e-3),
        1,
    )


def refuse(match, **changed):
    before, after, hired, group, subjects = gaussian(60)
    given = {"before": before, "after": after, "target": hired, "sensitive": group}
    given |= {"subjects": subjects}
    with pytest.raises(InputError, match=match):
        equality_of_opportunity(**(given | changed))


def test_messages_say_what_is_wrong_and_what_to_do():
    subjects = np.arange(240)
    three = encode("race", np.array(["a", "b", "c", "a"]).repeat(60))
    same = encode("hired", ["yes"] * 240)
    refuse(r"found 240, 240 and 3", subjects=subjects[:3])
    refuse(r"column 'race': expected two classes, found 3 \('a', 'b', 'c'\)", sensitive=three)
    refuse(r"column 'hired': expected at least two classes, found only 'yes' \(240", target=same)
    refuse(r"column 'group': no class 'x'; its classes are 'm', 'w'", favoured="x")
    refuse(r"column 'hired': no class 'maybe'", positive="maybe")
    refuse(r"bias: expected a share of at least 0.5 and below 1, found 1", bias=1.0)
    refuse(r"test_share: expected a share between 0 and 1, found 0", test_share=0.0)
    refuse(r"seeds: expected at least two different ones, found \(1, 1\)", seeds=(1, 1))
    refuse(r"after: expected 240 embeddings, one for each label, found 9", after=np.ones((9, 2)))
    refuse(r"before, row 0: zero vector", before=np.zeros((240, 2)))


def test_a_cell_that_is_too_small_is_named():
    hired, group, subjects = labels_of(60)
    keep = np.r_[0:60, 60:64, 120:240]
    with pytest.raises(
        InputError,
        match=r"at least 10 rows .* found 4 with hired = 'yes' and group = 'm' in the table",
    ):
        check_cells(hired.take(keep), group.take(keep), subjects[keep], None, "w")
    keep = np.r_[0:60, 60:75, 120:240]
    cells = check_cells(hired.take(keep), group.take(keep), subjects[keep], None, "w")
    with pytest.raises(InputError, match="with hired = 'yes' and group = 'm' in the test part"):
        draw_biased_split(cells, 0)


def test_rates_need_positives_of_both_groups():
    one = np.array([True, False])
    with pytest.raises(InputError, match="found none of the other one"):
        group_rates(Predictions(np.arange(2), one, one, one))


def test_predictions_are_those_of_the_classifier_on_the_test_rows():
    before, _, hired, group, subjects = gaussian(60)
    cells = check_cells(hired, group, subjects, None, "w")
    split = draw_biased_split(cells, 0)
    answers = predict_test_rows(before, cells, split, SignOfFirst())
    assert answers.rows.tolist() == split.test.tolist()
    assert answers.predicted.tolist() == (before[split.test, 0] > 0).tolist()
    assert answers.expected.tolist() == (hired.codes[split.test] == 1).tolist()


@pytest.mark.skipif("SENSITIVENETS_DATA" not in os.environ, reason="SENSITIVENETS_DATA is not set")
@pytest.mark.parametrize("target", ["attractive", "smiling"])
def test_celeba_baseline_favours_women_as_in_table_iii(target):
    table = read_table(Path(os.environ["SENSITIVENETS_DATA"]) / "celeba.parquet")
    result = equality_of_opportunity(
        table.vectors,
        None,
        table.labels(target),
        table.labels("gender"),
        table.labels("subject").codes,
        seeds=(0, 1),
    )
    assert (result.positive, result.favoured) == ("True", "Female")
    assert result.before.accuracy.value > 0.6
    assert all(run.before.gap > 0 for run in result.runs)
