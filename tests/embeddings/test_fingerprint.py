"""The digest of the rows of a fit: what it is, and what changes it."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sensitivenets.embeddings.fingerprint import BlockHashes, Fingerprint
from sensitivenets.erasers.linear.sal import SAL
from sensitivenets.errors import InputError

X = np.random.default_rng(0).standard_normal((2500, 6)).astype(np.float32)


def digest(*batches):
    with ThreadPoolExecutor(3) as pool:
        found = Fingerprint()
        for batch in batches:
            found.add(batch, BlockHashes(batch, pool).digests())
    return found.to_dict()


def test_it_is_a_chain_of_sha256_over_blocks_of_1024_rows():
    chain = b""
    for block in (X[:1024], X[1024:2048], X[2048:]):
        chain = hashlib.sha256(chain + hashlib.sha256(block.tobytes()).digest()).digest()
    assert digest(X) == {"rows": 2500, "features": 6, "block_sha256": chain.hex()}


def test_who_waits_hashes_what_the_pool_has_not_begun():
    begin = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(begin.wait, 10)
        alone = BlockHashes(X, pool).digests()
        assert not held.done()
        begin.set()
    assert alone == [hashlib.sha256(X[k : k + 1024].tobytes()).digest() for k in (0, 1024, 2048)]


def test_it_is_of_the_values_and_not_of_how_they_lie_in_memory():
    assert digest(np.asfortranarray(X)) == digest(X)
    assert digest(X[:1024], X[1024:]) == digest(X)
    assert digest(X[:1000], X[1000:]) != digest(X)


@pytest.mark.parametrize("row", [0, 1023, 1024, 2499])
def test_one_bit_or_one_swap_changes_it(row):
    changed = X.copy()
    changed.view(np.uint32)[row, 5] ^= 1
    swapped = X.copy()
    swapped[[row, (row + 1024) % 2500]] = X[[(row + 1024) % 2500, row]]
    assert len({one["block_sha256"] for one in (digest(X), digest(changed), digest(swapped))}) == 3


def test_a_batch_that_is_refused_is_not_in_it():
    gender = ["f", "m"] * 500
    eraser = SAL().partial_fit(X[:1000], sensitive={"gender": gender})
    with pytest.raises(InputError, match="expected the attributes"):
        eraser.partial_fit(X[1000:2000], sensitive={"age": gender})
    fresh = SAL().partial_fit(X[:1000], sensitive={"gender": gender})
    assert eraser.model_.fingerprint == fresh.model_.fingerprint
