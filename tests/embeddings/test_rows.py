"""Blocks of rows on all cores: the same rows, in order, and no threads taken from anybody."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from sensitivenets.embeddings.rows import first_occurrences, in_row_blocks, row_blocks

X = np.random.default_rng(0).standard_normal((20_001, 6)).astype(np.float32)


def blas_threads():
    return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("n", [0, 5, 8191, 8192, 20_001])
def test_blocks_give_what_the_function_gives(n, n_threads):
    with threadpool_limits(n_threads, user_api="blas"):
        out = np.full((n, 6), np.nan, dtype=np.float32)
        in_row_blocks(lambda rows, part: np.cumsum(rows, axis=1, out=part), X[:n], out)
    np.testing.assert_array_equal(out, np.cumsum(X[:n], axis=1))


def test_products_have_one_thread_meanwhile_and_theirs_back_afterwards():
    seen = []

    def write(rows, part):
        seen.append(max(blas_threads()))

    with threadpool_limits(2, user_api="blas"):
        in_row_blocks(write, X, np.empty_like(X))
        assert max(blas_threads()) == 2
    assert set(seen) == {1}


def test_what_goes_wrong_in_a_block_is_raised():
    def write(rows, part):
        raise ValueError(f"{len(rows)} rows")

    with threadpool_limits(2, user_api="blas"):
        with pytest.raises(ValueError, match="2048 rows"):
            in_row_blocks(write, X, np.empty_like(X))
        assert max(blas_threads()) == 2


@pytest.mark.parametrize("n", [0, 1, 6, 7, 8, 21, 50])
def test_blocks_are_all_rows_once_and_in_order(n):
    blocks = list(row_blocks(n, 7))
    assert [k for block in blocks for k in range(n)[block]] == list(range(n))
    assert all(block.stop - block.start == 7 for block in blocks[:-1])


def test_each_row_finds_the_first_that_equals_it():
    rows = np.random.default_rng(0).integers(3, size=(60, 2)).astype(np.float32)
    found = [int(np.flatnonzero((rows == row).all(axis=1))[0]) for row in rows]
    np.testing.assert_array_equal(first_occurrences(rows), found)
    assert len(first_occurrences(rows[:0])) == 0
