import numpy as np
import pytest

from sensitivenets.datasets import synthetic_diveface
from sensitivenets.embeddings import encode
from sensitivenets.errors import InputError
from sensitivenets.verification import verify
from sensitivenets.verification.drawn_pairs import draw_pairs


@pytest.fixture(scope="module")
def subject():
    rng = np.random.default_rng(0)
    names = [f"s{k}" for k in rng.integers(80, size=400)]
    names[5] = None
    return encode("subject", names)


def test_pairs_are_what_they_say_balanced_and_different(subject):
    pairs = draw_pairs(subject, 400, 5)
    codes = subject.codes
    np.testing.assert_array_equal(codes[pairs.left] == codes[pairs.right], pairs.same)
    assert (codes[pairs.left] >= 0).all()
    for fold in range(5):
        assert pairs.same[pairs.fold == fold].sum() == 40
        assert (~pairs.same[pairs.fold == fold]).sum() == 40
    both = np.sort(np.stack([pairs.left, pairs.right], axis=1), axis=1)
    assert len(np.unique(both, axis=0)) == 400


def test_folds_share_no_subject(subject):
    pairs = draw_pairs(subject, 400, 5)
    codes = subject.codes
    seen = [
        set(codes[pairs.left[pairs.fold == k]]) | set(codes[pairs.right[pairs.fold == k]])
        for k in range(5)
    ]
    assert sum(map(len, seen)) == len(set.union(*seen))


def test_every_genuine_pair_can_be_drawn():
    subject = encode("subject", ["a", "b", "a", "b", "a", "b"])
    pairs = draw_pairs(subject, 1000, 1)
    genuine = {tuple(sorted(p)) for p in zip(pairs.left, pairs.right, strict=True)}
    assert {(0, 2), (0, 4), (2, 4), (1, 3), (1, 5), (3, 5)} <= genuine
    assert len(pairs) == 12


def test_the_seed_decides(subject):
    one, again, other = (draw_pairs(subject, 100, 2, random_state=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(one.left, again.left)
    assert not np.array_equal(one.left, other.left)


def test_it_serves_the_protocol_of_view_2():
    table = synthetic_diveface(600)
    result = verify(table, draw_pairs(table.labels("subject"), 2000), n_bootstrap=10)
    assert result.protocol == "view2"
    assert 0.95 < result.accuracy.estimate.value < 0.995


@pytest.mark.parametrize("names", [["a", "b", "c"], ["a", "a", "a"], [None, None], ["a"]])
def test_a_fold_without_pairs_is_an_error(names):
    with pytest.raises(InputError, match="column 'subject': fold 0 of 1 has no two rows"):
        draw_pairs(encode("subject", names), 100, 1)
