import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sensitivenets.codes.hamming as hamming
from sensitivenets.codes import hamming_distances, hamming_of_pairs, nearest_codes
from sensitivenets.errors import InputError


def random_codes(n, n_bytes, seed=0):
    return np.random.default_rng(seed).integers(256, size=(n, n_bytes), dtype=np.uint8)


def naive(a, b):
    return [
        [
            sum((int(x) ^ int(y)).bit_count() for x, y in zip(left, right, strict=True))
            for right in b
        ]
        for left in a
    ]


def test_hand_counted_distances():
    a = np.array([[0b1111_0000, 0b0000_0001]], dtype=np.uint8)
    b = np.array([[0b1111_0000, 0b0000_0001], [0b0000_1111, 0b0000_0001]], dtype=np.uint8)
    assert hamming_distances(a, b).tolist() == [[0, 8]]
    assert hamming_distances(a[0], b).tolist() == [0, 8]


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 17), st.integers(0, 99))
def test_all_pairs_are_counted_as_by_hand_for_any_length(m, n, n_bytes, seed):
    a, b = random_codes(m, n_bytes, seed), random_codes(n, n_bytes, seed + 1)
    assert hamming_distances(a, b).tolist() == naive(a, b)


def test_blocks_do_not_matter(monkeypatch):
    a, b = random_codes(37, 8), random_codes(53, 8, 1)
    whole = hamming_distances(a, b)
    rows, columns = np.divmod(np.arange(37 * 53), 53)
    nearest = nearest_codes(a, b, 4)
    monkeypatch.setattr(hamming, "_BLOCK_PAIRS", 10)
    np.testing.assert_array_equal(hamming_distances(a, b), whole)
    np.testing.assert_array_equal(hamming_of_pairs(a, b, rows, columns), whole.ravel())
    for part, expected in zip(nearest_codes(a, b, 4), nearest, strict=True):
        np.testing.assert_array_equal(part, expected)


def test_pairs_are_those_of_the_matrix():
    a, b = random_codes(9, 6), random_codes(11, 6, 1)
    rows, columns = np.array([0, 8, 3, 3]), np.array([10, 0, 5, 5])
    expected = hamming_distances(a, b)[rows, columns]
    np.testing.assert_array_equal(hamming_of_pairs(a, b, rows, columns), expected)


def test_the_nearest_are_those_of_a_full_sort_and_ties_go_to_the_lower_row():
    # One byte: distances of 0 to 8 only, so that there are many ties.
    a, b = random_codes(20, 1), random_codes(200, 1, 1)
    distances = hamming_distances(a, b)
    rows, found = nearest_codes(a, b, 7)
    expected = np.argsort(distances, axis=1, kind="stable")[:, :7]
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_array_equal(found, np.take_along_axis(distances, expected, axis=1))


def test_distances_are_a_metric():
    a = random_codes(15, 5)
    d = hamming_distances(a, a)
    assert (np.diag(d) == 0).all()
    np.testing.assert_array_equal(d, d.T)
    assert (d[:, :, None] <= d[:, None, :] + d.T[None, :, :]).all()


def test_no_probes_is_no_distances():
    assert hamming_distances(random_codes(0, 8), random_codes(3, 8)).shape == (0, 3)
    none = np.array([], dtype=np.int64)
    assert len(hamming_of_pairs(random_codes(2, 8), random_codes(3, 8), none, none)) == 0


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (random_codes(2, 8), random_codes(2, 16), "found 64 and 128 bits"),
        (random_codes(2, 8).astype(np.int64), random_codes(2, 8), "found int64 of shape"),
        (random_codes(2, 8), random_codes(2, 0), r"found uint8 of shape \(2, 0\)"),
    ],
)
def test_codes_that_do_not_fit_are_refused(a, b, message):
    with pytest.raises(InputError, match=message):
        hamming_distances(a, b)


def test_rows_that_are_not_there_are_refused():
    a, zero = random_codes(3, 8), np.array([0])
    for bad in (np.array([3]), np.array([-1])):
        with pytest.raises(InputError, match="expected right rows 0 to 2"):
            hamming_of_pairs(a, a, zero, bad)
        with pytest.raises(InputError, match="expected left rows 0 to 2"):
            hamming_of_pairs(a, a, bad, zero)
    with pytest.raises(InputError, match="two lists of one length"):
        hamming_of_pairs(a, a, zero, np.array([0, 1]))


@pytest.mark.parametrize(("k", "message"), [(4, "at most the 3 codes"), (0, "at least 1")])
def test_an_impossible_number_of_neighbours_is_refused(k, message):
    with pytest.raises(InputError, match=message):
        nearest_codes(random_codes(2, 8), random_codes(3, 8), k)
