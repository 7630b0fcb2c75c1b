"""The classifier that proposes: calibrated, out of fold, and it finds wrong labels."""

import numpy as np
import pytest

from sensitivenets.annotation.proposals import Proposals, Proposer, temperature
from sensitivenets.annotation.queues import label_error_probability


@pytest.fixture(scope="module")
def data():
    """Two classes that overlap: 1 500 rows, 12 features."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, 1500)
    x = rng.standard_normal((1500, 12)) + 1.6 * codes[:, None] * np.eye(12)[0]
    return x.astype(np.float32), codes


@pytest.fixture(scope="module")
def proposer(data):
    """Labels change from test to test, embeddings do not: its features are made once."""
    return Proposer(data[0])


def test_labelled_rows_are_judged_by_classifiers_that_never_saw_them(data, proposer):
    x, _ = data
    # Labels that mean nothing: in-sample, 600 landmarks would learn them by heart.
    codes = np.random.default_rng(1).integers(0, 2, len(x))
    made = proposer.propose(codes, 2)
    assert made.accuracy.low < 0.5 < made.accuracy.high + 0.03
    assert np.mean(made.codes == codes) == made.accuracy.value


def test_wrong_labels_come_first(data, proposer):
    x, truth = data
    clear = np.abs(x[:, 0] - 0.8) > 0.9
    wrong = np.zeros(len(x), bool)
    wrong[np.random.default_rng(2).choice(np.flatnonzero(clear), 30, replace=False)] = True
    codes = np.where(wrong, 1 - truth, truth)
    made = proposer.propose(codes, 2)
    first = np.argsort(-label_error_probability(codes, made.probabilities))[:150]
    assert wrong[first].sum() >= 18  # by chance: 3


def test_confidence_is_calibrated_also_on_rows_without_a_label(data, proposer):
    x, truth = data
    codes = np.where(np.arange(len(x)) < 700, truth, -1)
    made = proposer.propose(codes, 2)
    assert made.n_labelled == 700
    unlabelled = codes == -1
    sure = made.probabilities[unlabelled].max(axis=1)
    right = made.codes[unlabelled] == truth[unlabelled]
    for low, high in [(0.5, 0.7), (0.7, 0.9), (0.9, 1.0)]:
        part = (sure >= low) & (sure <= high)
        assert part.sum() > 60
        assert right[part].mean() == pytest.approx(sure[part].mean(), abs=0.1)
    assert made.probabilities.sum(axis=1) == pytest.approx(np.ones(len(x)), abs=1e-5)


def test_rows_of_one_identity_do_not_vouch_for_each_other():
    # Each identity has two equal rows with the same label, and labels mean nothing.
    rng = np.random.default_rng(3)
    x = np.repeat(rng.standard_normal((120, 4)), 2, axis=0).astype(np.float32)
    codes = np.repeat(rng.integers(0, 2, 120), 2)
    together = Proposer(x, groups=np.repeat(np.arange(120), 2)).propose(codes, 2)
    apart = Proposer(x).propose(codes, 2)
    assert together.accuracy.value < 0.62
    assert apart.accuracy.value > together.accuracy.value + 0.1


def test_unknown_identities_are_nobodys(data):
    x, codes = data[0][:300], data[1][:300]
    made = Proposer(x, groups=np.full(len(x), -1)).propose(codes, 2)
    assert made.accuracy == Proposer(x).propose(codes, 2).accuracy


@pytest.mark.parametrize("codes", [[-1] * 40, [0] * 40, [0] * 36 + [1] * 4])
def test_nothing_is_proposed_before_two_classes_have_five_rows(codes):
    x = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    assert Proposer(x).propose(np.array(codes), 2) is None


def test_three_classes_and_one_that_nobody_has_used():
    rng = np.random.default_rng(4)
    codes = rng.choice([0, 2, 3], 300)
    x = (np.eye(4)[codes] * 4 + rng.standard_normal((300, 4))).astype(np.float32)
    made = Proposer(x).propose(codes, 4)
    assert made.accuracy.value > 0.9
    assert (made.probabilities[:, 1] == 0).all()


def test_a_temperature_undoes_too_much_or_too_little_confidence():
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 2, (4000, 2))
    p = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    target = (rng.random(4000) < p).astype(int)
    assert temperature(logits, target) == pytest.approx(1, abs=0.1)
    assert temperature(5 * logits, target) == pytest.approx(5, abs=0.5)
    assert temperature(logits / 3, target) == pytest.approx(1 / 3, abs=0.04)


def test_the_same_random_state_proposes_the_same(data):
    x, codes = data[0][:300], data[1][:300]
    a, b = (Proposer(x, random_state=3).propose(codes, 2) for _ in range(2))
    assert np.array_equal(a.probabilities, b.probabilities)


def test_proposals_survive_being_stored(data):
    x, codes = data
    made = Proposer(x[:200]).propose(codes[:200], 2)
    again = Proposals.from_arrays(made.arrays())
    assert again.accuracy == made.accuracy
    assert np.array_equal(again.probabilities, made.probabilities)


@pytest.mark.parametrize("n_identities", [1, 2, 3])
def test_few_identities_are_no_obstacle(n_identities):
    x = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    identities = np.arange(40) % n_identities
    # One identity with both classes, or each identity with one class.
    codes = np.arange(40) % 2 if n_identities == 1 else identities % 2
    made = Proposer(x, groups=identities).propose(codes, 2)
    assert (made is None) == (n_identities == 1)
    if made is not None:
        assert np.isfinite(made.probabilities).all()
