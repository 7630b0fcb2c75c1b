"""The Gaussian barycentre and its maps, against Python Optimal Transport."""

import numpy as np
import ot
import pytest

from sensitivenets.erasers.transport.gaussian import barycentre, transport_matrices


def covariances(n_groups, d, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n_groups, 3 * d, d)) * np.linspace(0.3, 2, d)
    return np.stack([np.cov(group.T) + 0.05 * np.eye(d) for group in rows])


@pytest.mark.parametrize(("n_groups", "d"), [(2, 3), (4, 8), (6, 20)])
def test_the_barycentre_is_that_of_bures_and_wasserstein(n_groups, d):
    groups = covariances(n_groups, d)
    _, expected = ot.gaussian.bures_wasserstein_barycenter(
        np.zeros((n_groups, d)), groups, num_iter=500, eps=1e-12
    )
    np.testing.assert_allclose(barycentre(groups), expected, atol=1e-6 * np.trace(expected))


@pytest.mark.parametrize("d", [2, 16])
def test_each_groups_matrix_is_the_optimal_map(d):
    groups = covariances(4, d)
    target = barycentre(groups)
    for group, found in zip(groups, transport_matrices(groups, target), strict=True):
        expected, offset = ot.gaussian.bures_wasserstein_mapping(
            np.zeros(d), np.zeros(d), group, target
        )
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(offset, 0, atol=1e-12)
