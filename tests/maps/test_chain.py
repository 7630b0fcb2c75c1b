"""Chains of maps: order, names, and what cannot be rebuilt."""

import numpy as np
import pytest

from sensitivenets.errors import InputError
from sensitivenets.maps.affine import Affine, LowRankEdit
from sensitivenets.maps.chain import Chain
from sensitivenets.maps.kinds import rebuild_map
from sensitivenets.maps.projection import Projection

RNG = np.random.default_rng(0)
X = RNG.standard_normal((5, 4)).astype(np.float32)
FIRST = Affine(RNG.standard_normal((4, 3)).astype(np.float32), np.ones(3, dtype=np.float32))
SECOND = Projection(RNG.standard_normal((3, 2)).astype(np.float32))
CHAIN = Chain((FIRST, SECOND))


def test_the_first_map_is_applied_first():
    np.testing.assert_array_equal(CHAIN(X), SECOND(FIRST(X)))
    assert (CHAIN.n_features_in, CHAIN.n_features_out) == (4, 2)


def test_a_chain_is_rebuilt_from_its_arrays():
    assert set(CHAIN.arrays()) == {"0.affine.weight", "0.affine.bias", "1.projection.weight"}
    np.testing.assert_array_equal(rebuild_map("chain", CHAIN.arrays())(X), CHAIN(X))


def test_a_chain_may_hold_a_chain_and_more_than_ten_maps():
    edit = LowRankEdit(X[:1].T, np.zeros(1, dtype=np.float32), X[:1])
    long = Chain((*[edit] * 11, CHAIN))
    np.testing.assert_array_equal(rebuild_map("chain", long.arrays())(X), long(X))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"weight": X}, "named position.kind.name, found 'weight'; fit again"),
        ({"0.affine.weight": X, "0.mlp.bias": X}, "one kind of map at position 0"),
        ({"1.projection.weight": X}, r"parts 0, 1, ..., found \[1\]"),
        ({"0.affine.weight": X}, "affine: expected arrays bias, weight; found weight; fit again"),
        ({"0.nothing.weight": X}, "unknown map 'nothing'.*upgrade sensitivenets"),
        (
            {"0.projection.weight": X, "1.projection.weight": X},
            "projection gives 4 features, projection takes 5; fit again",
        ),
    ],
)
def test_arrays_that_are_no_chain(arrays, message):
    with pytest.raises(InputError, match=message):
        rebuild_map("chain", arrays)


def test_a_table_of_another_width_is_refused_with_its_whole_shape():
    with pytest.raises(InputError, match=r"of 4 features, found an array of shape \(9000, 5\)"):
        CHAIN(np.ones((9000, 5), dtype=np.float32))
