"""The digest of a table: what it is, what changes it, and what does not."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensitivenets.embeddings.fingerprint import Fingerprint, Hashing, fingerprint, is_among
from sensitivenets.erasers.linear.sal import SAL
from sensitivenets.errors import InputError

X = np.random.default_rng(0).standard_normal((2500, 6)).astype(np.float32)


def digest(*batches):
    with ThreadPoolExecutor(3) as pool:
        found = Fingerprint()
        for batch in batches:
            found = Hashing(batch, pool, found).result()
    return found.to_dict()


def test_it_is_a_chain_of_sha256_over_blocks_of_1024_rows():
    chain = b""
    for block in (X[:1024], X[1024:2048], X[2048:]):
        chain = hashlib.sha256(chain + hashlib.sha256(block.tobytes()).digest()).digest()
    expected = {"rows": 2500, "features": 6, "digest": f"sha256-1024-v1:{chain.hex()}"}
    assert digest(X) == fingerprint(X) == expected


def test_who_waits_hashes_what_the_pool_has_not_begun():
    begin = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(begin.wait, 60)
        alone = Hashing(X, pool).result()
        assert not held.done()
        begin.set()
    assert alone.to_dict() == digest(X)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 2500), max_size=12))
def test_it_does_not_depend_on_how_the_rows_were_cut(cuts):
    ends = [0, *sorted(cuts), 2500]
    assert digest(*(X[start:end] for start, end in pairwise(ends))) == digest(X)


@pytest.mark.parametrize("size", [1, 7, 1023, 1024, 1025, 2048])
def test_batches_of_one_size_are_the_table(size):
    assert digest(*(X[k : k + size] for k in range(0, 2500, size))) == digest(X)


def test_it_is_of_the_values_and_not_of_how_they_lie_in_memory():
    assert digest(np.asfortranarray(X)) == digest(X[::-1].copy()[::-1]) == digest(X)
    assert digest(X.astype(">f4")) == digest(X.astype(np.float64)) == digest(X)
    half = X.astype(np.float16)
    assert digest(half) == digest(half.astype(np.float32))


@pytest.mark.parametrize("row", [0, 1023, 1024, 2499])
def test_one_bit_or_one_swap_changes_it(row):
    changed = X.copy()
    changed.view(np.uint32)[row, 5] ^= 1
    swapped = X.copy()
    swapped[[row, (row + 1024) % 2500]] = X[[(row + 1024) % 2500, row]]
    swaps = digest(swapped[:100], swapped[100:])
    assert len({one["digest"] for one in (digest(X), digest(changed), swaps)}) == 3


def test_a_batch_that_is_refused_is_not_in_it():
    gender = ["f", "m"] * 500
    eraser = SAL().partial_fit(X[:1000], sensitive={"gender": gender})
    with pytest.raises(InputError, match="expected the attributes"):
        eraser.partial_fit(X[1000:2000], sensitive={"age": gender})
    fresh = SAL().partial_fit(X[:1000], sensitive={"gender": gender})
    assert eraser.model_.fingerprint == fresh.model_.fingerprint


def test_a_model_knows_the_table_it_was_fitted_on():
    gender = ["f", "m"] * 1250
    whole = SAL().fit(X, sensitive={"gender": gender})
    parts = SAL()
    for start in range(0, 2500, 700):
        rows = slice(start, start + 700)
        parts.partial_fit(X[rows], sensitive={"gender": gender[rows]})
    for model in (whole.model_, parts.model_):
        assert is_among(fingerprint(X), model.fingerprint) is True
        assert is_among(fingerprint(X[::-1]), model.fingerprint) is False
        assert is_among(fingerprint(X[1:]), model.fingerprint) is False


def test_what_an_earlier_version_recorded_is_compared_where_it_can_be():
    mine = fingerprint(X)
    chain = mine["digest"].rpartition(":")[2]
    old = {"rows": 2500, "features": 6}
    assert is_among(mine, {"primary": old | {"block_sha256": chain}}) is True
    # Another cut of the same rows, or other rows: nobody can tell.
    assert is_among(mine, {"primary": old | {"block_sha256": "ab" * 32, "batches": 4}}) is None
    assert is_among(mine, {"primary": old | {"sha256": "ab" * 32}}) is None
    assert is_among(mine, {"primary": old | {"rows": 9, "sha256": "ab" * 32}}) is False
    assert is_among(mine, {"triplets": {"drawn": 5}}) is None
