import numpy as np
import pytest

from sensitivenets.embeddings.drawn_rows import draw_rows
from sensitivenets.embeddings.labels import Labels

RNG = np.random.default_rng(0)
# 3 000 subjects of one to eight rows, a tenth of them of a rare kind.
ROWS_OF_EACH = RNG.integers(1, 9, 3000)
SUBJECT = np.repeat(np.arange(3000), ROWS_OF_EACH)
RARE = (np.arange(3000) % 10 == 0).astype(int)[SUBJECT]
ORDER = RNG.permutation(len(SUBJECT))


@pytest.fixture
def subject():
    return Labels("subject", SUBJECT[ORDER], tuple(map(str, range(3000))))


@pytest.fixture
def kind():
    return Labels("kind", RARE[ORDER], ("often", "rare"))


def test_subjects_are_drawn_whole_and_in_proportion(subject, kind):
    drawn = draw_rows(len(subject), subject.codes, [kind], most=1500, seed=3)
    chosen = subject.codes[drawn.rows]
    assert np.all(np.diff(drawn.rows) > 0)
    for who in np.unique(chosen):
        assert np.sum(chosen == who) == np.sum(subject.codes == who)
    assert abs(len(drawn.rows) - 1500) < 60
    share = drawn.subjects / drawn.n_subjects
    for code in (0, 1):
        there = len(np.unique(subject.codes[kind.codes == code]))
        found = len(np.unique(chosen[kind.codes[drawn.rows] == code]))
        assert abs(found - share * there) <= 1
    singles = np.flatnonzero(ROWS_OF_EACH == 1)
    assert abs(np.isin(singles, chosen).sum() - share * len(singles)) <= 3


def test_a_seed_decides_which(subject, kind):
    one, again, other = (
        draw_rows(len(subject), subject.codes, [kind], most=500, seed=seed).rows
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, again)
    assert len(np.setdiff1d(other, one)) > 300


def test_it_says_what_it_drew(subject, kind):
    drawn = draw_rows(len(subject), subject.codes, [kind], most=500, seed=7)
    assert drawn.sentence() == (
        f"drawn: {drawn.subjects} of 3000 subjects with {len(drawn.rows)} of {len(subject)} rows, "
        "in proportion by kind and rows of a subject, seed 7"
    )
    rows = draw_rows(len(subject), None, [kind], most=500, seed=7)
    assert rows.sentence() == f"drawn: 500 of {len(subject)} rows, in proportion by kind, seed 7"


def test_rows_of_nobody_known_are_not_drawn(subject):
    subject.codes[::3] = -1
    drawn = draw_rows(len(subject), subject.codes, [], most=500)
    assert np.all(subject.codes[drawn.rows] >= 0)


def test_a_small_table_is_taken_whole(subject, kind):
    drawn = draw_rows(len(subject), subject.codes, [kind], most=len(subject))
    np.testing.assert_array_equal(drawn.rows, np.arange(len(subject)))
