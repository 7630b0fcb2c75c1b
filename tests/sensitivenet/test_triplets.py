"""Eq. 3: mining against a triple loop over all rows."""

import numpy as np
import pytest

from sensitivenets.errors import InputError
from sensitivenets.sensitivenet.triplets import mine_triplets


def unit(rng, n, d):
    X = rng.standard_normal((n, d)).astype(np.float32)
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def all_triplets(X, subjects, margin):
    """Eq. 3 as the paper writes it."""
    found = set()
    for a in range(len(X)):
        for p in range(len(X)):
            for n in range(len(X)):
                if a == p or -1 in (subjects[a], subjects[n]):
                    continue
                if subjects[a] == subjects[p] != subjects[n] and (
                    np.sum((X[a] - X[n]) ** 2) - np.sum((X[a] - X[p]) ** 2) < margin
                ):
                    found.add((a, p, n))
    return found


def mine(X, subjects, *, margin=0.2, n_triplets=10**9, seed=0, memory_limit=2**30):
    return mine_triplets(
        X,
        np.asarray(subjects),
        margin=margin,
        n_triplets=n_triplets,
        rng=np.random.default_rng(seed),
        memory_limit=memory_limit,
    )


@pytest.mark.parametrize("margin", [0.01, 0.2, 1.0, 5.0])
@pytest.mark.parametrize("memory_limit", [1, 2**30], ids=["one row a block", "one block"])
def test_finds_exactly_the_triplets_of_eq_3(margin, memory_limit):
    rng = np.random.default_rng(1)
    X, subjects = unit(rng, 24, 3), rng.integers(-1, 6, 24)
    expected = all_triplets(X, subjects, margin)
    mined = mine(X, subjects, margin=margin, memory_limit=memory_limit)
    assert mined.n_found == len(mined) == len(expected)
    assert set(map(tuple, mined.rows.tolist())) == expected


def test_an_identity_with_many_rows_is_counted_the_same():
    rng = np.random.default_rng(2)
    X, subjects = unit(rng, 45, 3), np.repeat([0, 1, 2], [30, 10, 5])
    mined = mine(X, subjects)
    assert set(map(tuple, mined.rows.tolist())) == all_triplets(X, subjects, 0.2)


def test_four_rows_by_hand():
    # A = row 0 at 0 degrees, P = row 1 at 60, N at 45 and 180: |A-P|^2 = 1, |A-N|^2 = 0.59 and 4.
    angles = np.deg2rad([0, 60, 45, 180])
    X = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    mined = mine(X, [7, 7, 8, 9])
    assert set(map(tuple, mined.rows.tolist())) == {(0, 1, 2), (1, 0, 2)}


def test_a_draw_is_a_uniform_sample_without_repetition():
    rng = np.random.default_rng(3)
    X, subjects = unit(rng, 20, 3), np.repeat(np.arange(5), 4)
    expected = all_triplets(X, subjects, 0.2)
    counts = dict.fromkeys(expected, 0)
    for seed in range(300):
        mined = mine(X, subjects, n_triplets=20, seed=seed)
        drawn = list(map(tuple, mined.rows.tolist()))
        assert len(set(drawn)) == 20
        assert mined.n_found == len(expected)
        for triplet in drawn:
            counts[triplet] += 1
    share = 20 / len(expected)
    spread = np.sqrt(300 * share * (1 - share))
    deviations = (np.array(list(counts.values())) - 300 * share) / spread
    assert np.abs(deviations).max() < 4.5
    assert 0.8 < deviations.std() < 1.2


def test_the_same_seed_draws_the_same_triplets_whatever_the_blocks():
    rng = np.random.default_rng(4)
    X, subjects = unit(rng, 60, 8), np.repeat(np.arange(15), 4)
    one = mine(X, subjects, n_triplets=50, memory_limit=2**30)
    np.testing.assert_array_equal(one.rows, mine(X, subjects, n_triplets=50).rows)
    other = mine(X, subjects, n_triplets=50, seed=1)
    assert not np.array_equal(one.rows, other.rows)


def test_a_rotation_of_the_embeddings_changes_no_triplet():
    rng = np.random.default_rng(5)
    X, subjects = unit(rng, 40, 6), np.repeat(np.arange(10), 4)
    turned = X @ np.linalg.qr(rng.standard_normal((6, 6)))[0].astype(np.float32)
    found = {tuple(row) for row in mine(X, subjects).rows.tolist()}
    assert {tuple(row) for row in mine(turned, subjects).rows.tolist()} == found


def test_says_that_no_identity_has_two_rows():
    with pytest.raises(InputError, match="one of them with two rows; found 4 identities"):
        mine(unit(np.random.default_rng(0), 4, 3), [0, 1, 2, 3])


def test_says_that_there_is_one_identity():
    with pytest.raises(InputError, match="at least two identities"):
        mine(unit(np.random.default_rng(0), 4, 3), [5, 5, 5, -1])


def test_says_that_no_triplet_is_difficult():
    X = np.array([[1, 0], [1, 0], [-1, 0], [-1, 0]], dtype=np.float32)
    with pytest.raises(InputError, match=r"no triplet satisfies Eq. 3 with margin 0.2"):
        mine(X, [0, 0, 1, 1])
