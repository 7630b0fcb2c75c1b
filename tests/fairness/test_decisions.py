"""Fair decisions: the three naive Bayes classifiers, fairlearn's two, and the draws they share."""

import numpy as np
import pytest

from sensitivenets.embeddings import encode
from sensitivenets.errors import InputError
from sensitivenets.fairness import (
    DECISIONS,
    check_cells,
    compare_decisions,
    decisions_named,
    draw_biased_split,
    rules_of_answers,
)
from sensitivenets.fairness.decisions import GroupBlind, decide, selection_gap
from sensitivenets.fairness.latent_label import LatentLabel
from sensitivenets.fairness.naive_bayes import (
    IndependentGaussians,
    ModifiedNaiveBayes,
    TwoNaiveBayes,
    balance,
)


def people(n=2000, seed=0):
    """Return x, biased outcomes, groups and fair labels: 40 % of others' positives denied."""
    rng = np.random.default_rng(seed)
    fair, favoured = rng.random((2, n)) < 0.5
    X = rng.standard_normal((n, 4))
    X[:, 0] += 2 * fair
    X[:, 1] += 2 * favoured
    positive = np.where(favoured, fair | (rng.random(n) < 0.4), fair & (rng.random(n) < 0.6))
    return X, positive, favoured, fair


def gap(chosen, favoured):
    return chosen[favoured].mean() - chosen[~favoured].mean()


def test_densities_are_scipys():
    from scipy.stats import norm

    X, positive, *_ = people(200)
    fitted = IndependentGaussians.fit(X, np.eye(2)[positive.astype(int)])
    found = fitted.log_densities(X)
    for c in (0, 1):
        rows = X[positive == c]
        expected = norm.logpdf(X, rows.mean(axis=0), rows.std(axis=0)).sum(axis=1)
        np.testing.assert_allclose(found[:, c] - expected, (found[:, c] - expected)[0], atol=1e-8)


def test_algorithm_1_by_hand():
    # No evidence but the counts: everybody of a group is chosen where more are positive. In steps
    # of 1 % of the 30 denied favoured, the other group's 40 positives become more than its 60 no.
    counts = np.array([[60.0, 30.0], [40.0, 70.0]])
    favoured = np.arange(200) < 100
    moved = balance(counts, np.zeros(200), favoured, n_positive=110)
    assert moved[1, 0] == pytest.approx(40 + 0.3 * 34)  # the first step beyond 50
    np.testing.assert_allclose(moved.sum(axis=0), [100, 100])
    np.testing.assert_allclose(moved[:, 1], [30, 70])
    # With more chosen than are positive, the favoured group's positives are taken away instead.
    fewer = balance(counts, np.zeros(200), favoured, n_positive=90)
    assert fewer[1, 1] < 50
    np.testing.assert_allclose(fewer[:, 0], [60, 40])


@pytest.mark.parametrize("kind", [ModifiedNaiveBayes, TwoNaiveBayes])
def test_groups_are_chosen_alike_on_the_rows_of_the_fit(kind):
    X, positive, favoured, _ = people()
    chosen = kind().fit(X, positive, favoured).predict(X, favoured)
    assert gap(positive, favoured) > 0.35
    assert gap(GroupBlind().fit(X, positive, favoured).predict(X, favoured), favoured) > 0.2
    assert -0.01 < gap(chosen, favoured) <= 0
    assert chosen.sum() == pytest.approx(positive.sum(), rel=0.05)


def test_two_models_read_a_feature_that_means_the_opposite_in_the_other_group():
    X, _, favoured, fair = people()
    X[:, 0] = np.where(favoured, X[:, 0] - 1, 1 - X[:, 0])
    right = {
        kind: (kind().fit(X, fair, favoured).predict(X, favoured) == fair).mean()
        for kind in (ModifiedNaiveBayes, TwoNaiveBayes)
    }
    assert right[ModifiedNaiveBayes] < 0.6
    assert right[TwoNaiveBayes] > 0.8


def test_the_latent_label_is_nearer_to_the_fair_label_than_the_outcome_is():
    X, positive, favoured, fair = people()
    found = LatentLabel().fit(X, positive, favoured)
    chosen = found.predict(X, favoured)
    assert (found.fair_positive_ > 0.5).mean() == pytest.approx(fair.mean(), abs=0.06)
    assert (chosen == fair).mean() > (
        GroupBlind().fit(X, positive, favoured).predict(X, favoured) == fair
    ).mean() + 0.03
    assert abs(gap(chosen, favoured)) < 0.06
    # Nobody discriminates for the other group: these two outcomes leave no doubt.
    assert (found.fair_positive_[positive & ~favoured] == 1).all()
    assert (found.fair_positive_[~positive & favoured] == 0).all()
    assert 1 < found.n_iter_ <= 100


def test_where_nobody_discriminates_the_latent_label_is_the_outcome():
    X, _, favoured, fair = people()
    fair[:1000], favoured[:1000] = np.arange(1000) % 2, np.arange(1000) // 2 % 2
    found = LatentLabel().fit(X[:1000], fair[:1000], favoured[:1000])
    np.testing.assert_array_equal(found.fair_positive_, fair[:1000].astype(float))


def cells_and_splits(n=1200):
    X, _, favoured, fair = people(n)
    X[:, 0] -= fair  # a weak task: the more reason to lean on the group
    hired = encode("hired", np.where(fair, "yes", "no"))
    group = encode("group", np.where(favoured, "w", "m"))
    cells = check_cells(hired, group, np.arange(n), "yes", "w")
    return X, cells, [draw_biased_split(cells, seed) for seed in (0, 1)]


def test_all_are_compared_on_the_same_draws():
    pytest.importorskip("fairlearn", reason="needs fairlearn")
    X, cells, splits = cells_and_splits(3000)
    told = {"before": X, "after": np.delete(X, 1, axis=1)}
    found = compare_decisions(told, cells, splits, decisions_named([*DECISIONS]))
    assert [one.representation for one in found] == ["before"] * 6 + ["after"] * 6
    by_name = {(one.representation, one.name): one for one in found}
    blind = by_name["before", "group_blind"]
    assert blind.rates.gap.value > 0.1
    assert not blind.asks_group
    assert abs(by_name["after", "group_blind"].rates.gap.value) < 0.1
    for name in ("threshold_optimizer", "exponentiated_gradient"):
        assert by_name["before", name].rates.absolute_gap.value < blind.rates.gap.value - 0.05
    assert by_name["before", "threshold_optimizer"].asks_group
    # A biased training set balanced is a balanced test set turned round: nothing is hidden here.
    assert by_name["before", "two_naive_bayes"].selection_gap.value < 0.05


def test_the_answers_are_those_of_the_test_rows():
    X, cells, splits = cells_and_splits()
    answers = decide(X, cells, splits[0], TwoNaiveBayes())
    assert answers.rows.tolist() == splits[0].test.tolist()
    assert selection_gap(answers) == pytest.approx(gap(answers.predicted, answers.is_favoured))


def test_rules_are_found_in_the_answers_of_all_draws_each_row_once():
    X, cells, splits = cells_and_splits()
    city = encode("city", np.where(np.arange(len(X)) % 2, "A", "B"))
    search = rules_of_answers(X, cells, splits, {"city": city})
    tested = np.unique(np.concatenate([split.test for split in splits]))
    everybody = next(rule for rule in search.rules if not rule.context)
    assert everybody.n_context == len(tested)
    assert (search.group, search.decision) == ("group = m", "hired = no")
    assert everybody.low > 1


def test_refusals():
    X, positive, favoured, _ = people(50)
    with pytest.raises(InputError, match=r"decision: expected one of group_blind, .*found 'coin'"):
        decisions_named(["coin"])
    with pytest.raises(InputError, match=r"expected rows of both outcomes in both groups"):
        TwoNaiveBayes().fit(X, positive & favoured, favoured)
    X, cells, splits = cells_and_splits()
    with pytest.raises(InputError, match="splits: expected at least two draws, found 1"):
        compare_decisions({"x": X}, cells, splits[:1], decisions_named(["group_blind"]))


@pytest.mark.parametrize("name", ["threshold_optimizer", "exponentiated_gradient"])
def test_what_needs_fairlearn_says_so(monkeypatch, name):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match="fairlearn's: pip install fairlearn"):
        decisions_named([name])
