"""Scores of groups: divergence against its formula, and the best counted by hand."""

import numpy as np
import pytest

from sensitivenets.embeddings import encode
from sensitivenets.errors import InputError
from sensitivenets.fairness import compare_scores
from sensitivenets.fairness.scores import mean_divergence


def test_divergence_of_two_gaussians_is_the_one_theory_gives():
    # KL(N(m1, s) | N(m2, s)) = (m1 - m2)^2 / (2 s^2), either way round.
    rng = np.random.default_rng(0)
    codes = np.arange(200_000) % 2
    scores = np.clip(0.5 + 0.1 * rng.standard_normal(200_000) + 0.05 * codes, 0, 1)
    assert mean_divergence(scores, codes) == pytest.approx(0.125, rel=0.05)


def test_the_best_counted_by_hand():
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    found = compare_scores(scores, encode("g", ["a", "a", "b", "a", "b", "b"]), n_top=3)
    assert found.top == {"a": pytest.approx(2 / 3), "b": pytest.approx(1 / 3)}
    assert found.means == {"a": pytest.approx(2.3 / 3), "b": pytest.approx(1.6 / 3)}
    assert found.shares == {"a": 0.5, "b": 0.5}


def test_a_difference_is_told_from_chance():
    rng = np.random.default_rng(1)
    group = encode("g", rng.integers(0, 3, 900))
    scores = rng.random(900) * 0.8
    same = compare_scores(scores, group)
    assert same.divergence < 1.3 * same.by_chance
    moved = compare_scores(scores + 0.2 * (group.codes == 1), group)
    assert moved.divergence > 2 * moved.by_chance
    assert moved.top["1"] > 0.8


def test_unlabelled_rows_are_left_out_and_nonsense_is_refused():
    group = encode("g", ["a", None, "b", "b"])
    assert compare_scores([0.1, 0.9, 0.2, 0.3], group, n_top=1).top == {"a": 0.0, "b": 1.0}
    with pytest.raises(InputError, match=r"scores: expected values in \[0, 1\], found 0.1 to 2.0"):
        compare_scores([0.1, 0.9, 2, 0.3], group, n_top=1)
    with pytest.raises(InputError, match="n_top: expected at most 3, the rows, found 4"):
        compare_scores([0.1, 0.9, 0.2, 0.3], group, n_top=4)
    with pytest.raises(InputError, match=r"scores: expected one for each of 4 rows, found shape"):
        compare_scores([0.1], group)
