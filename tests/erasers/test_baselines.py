import numpy as np
import pytest

from sensitivenets.erasers.baselines import RandomProjection
from sensitivenets.errors import InputError

SENSITIVE = ["a", "b"] * 30


X = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)


def test_a_random_projection_keeps_an_orthonormal_subspace():
    weight = RandomProjection(n_components=3, random_state=0).fit(X, sensitive=SENSITIVE).model_.map
    assert np.allclose(weight.weight.T @ weight.weight, np.eye(3), atol=1e-6)
    assert not weight.bias.any()


def test_all_components_keep_all_distances():
    full = RandomProjection(n_components=8, random_state=0).fit_transform(X, sensitive=SENSITIVE)
    assert np.allclose(full @ full.T, X @ X.T, atol=1e-4)


def test_the_projection_does_not_depend_on_the_attributes():
    shuffled = np.random.default_rng(1).permutation(SENSITIVE)
    first, second, other = (
        RandomProjection(n_components=2, random_state=seed).fit_transform(X, sensitive=s)
        for seed, s in ((0, SENSITIVE), (0, shuffled), (1, SENSITIVE))
    )
    assert np.array_equal(first, second)
    assert not np.allclose(first, other)


@pytest.mark.parametrize(("n", "message"), [(0, "at least 1"), (9, "at most the 8 features")])
def test_components_that_cannot_be_are_refused(n, message):
    with pytest.raises(InputError, match=f"n_components: expected .*{message}"):
        RandomProjection(n_components=n).fit(X, sensitive=SENSITIVE)
