"""Fourier features, HSIC, and the projection without covariance, against definitions."""

import math

import numpy as np
import pytest
import torch

from sensitivenets.erasers.dependence.measures import (
    class_covariance,
    cross_covariance,
    draw_kernel,
    median_distance,
)
from sensitivenets.erasers.dependence.null_projection import View, null_projection
from sensitivenets.erasers.neural.training_rows import ClassCodes
from sensitivenets.errors import InputError
from sensitivenets.maps.fourier import FourierProjection


def rows(n=60, d=3, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, d))).float()


def naive_hsic(K, L):
    """tr(K H L H) / n^2, Gretton et al. 2005 with n^2 for (n - 1)^2."""
    n = len(K)
    H = np.eye(n) - np.ones((n, n)) / n
    return np.trace(K @ H @ L @ H) / n**2


def test_features_approach_the_gaussian_kernel():
    X = rows(20)
    kernel = draw_kernel(3, 200_000, 1.7, torch.Generator().manual_seed(0))
    features = kernel(X)
    exact = np.exp(-(torch.cdist(X, X) ** 2).numpy() / (2 * 1.7**2))
    np.testing.assert_allclose((features @ features.T).numpy(), exact, atol=0.01)


def test_the_squared_norm_of_the_covariance_is_hsic():
    X, Y = rows(), rows(d=2, seed=1)
    f = draw_kernel(3, 40, 1.0, torch.Generator().manual_seed(0))(X)
    g = draw_kernel(2, 30, 1.0, torch.Generator().manual_seed(1))(Y)
    expected = naive_hsic((f @ f.T).numpy(), (g @ g.T).numpy())
    assert float(cross_covariance(f, g).square().sum()) == pytest.approx(expected, rel=1e-4)
    assert cross_covariance(f, g).shape == (30, 40)


def test_of_classes_it_is_hsic_with_a_label_kernel():
    f = rows(d=5)
    codes = np.random.default_rng(1).integers(3, size=60)
    share = np.bincount(codes) / 60
    L = (codes[:, None] == codes) / share[codes]
    expected = naive_hsic((f @ f.T).numpy(), L)
    found = class_covariance(f, torch.from_numpy(codes), 3).square().sum()
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_unlabelled_rows_and_absent_classes_add_nothing():
    f = rows(8)
    codes = torch.tensor([0, 0, 1, 1, 1, -1, -1, 0])
    known = class_covariance(f[codes >= 0], codes[codes >= 0], 2)
    torch.testing.assert_close(class_covariance(f, codes, 3), torch.cat([known, torch.zeros(1, 3)]))
    assert not class_covariance(f, torch.full((8,), -1), 2).any()


def test_independent_by_hand():
    # Two classes of equal means: no covariance. One moved by 2: sqrt(1/2) times half of it.
    codes = torch.tensor([0, 0, 1, 1])
    assert not class_covariance(torch.tensor([[0.0], [4.0], [1.0], [3.0]]), codes, 2).any()
    moved = class_covariance(torch.tensor([[0.0], [4.0], [3.0], [5.0]]), codes, 2)
    np.testing.assert_allclose(moved, [[-math.sqrt(0.5)], [math.sqrt(0.5)]], rtol=1e-6)


def test_the_bandwidth_is_the_median_distance_or_the_floor():
    X = torch.tensor([[0.0], [1.0], [3.0]])
    assert median_distance(X) == 2.0
    assert median_distance(X, minimum=2.5) == 2.5
    assert median_distance(rows(5000)) == pytest.approx(
        float(torch.pdist(rows(5000)[::5]).median())
    )


class TestNullProjection:
    X = rows(300, 4)
    codes = (X[:, 0] * X[:, 1] > 0).long()
    kernel = draw_kernel(4, 80, 2.0, torch.Generator().manual_seed(0))

    def project(self, **parameters):
        source = View(self.X, self.kernel)
        hidden = [ClassCodes(self.codes, 2)]
        settings = {"n_components": 10, "tolerance": 1e-6} | parameters
        return null_projection(source, hidden, [source], **settings)

    def before_normalising(self, fitted):
        cosines = np.cos(self.X.numpy() @ fitted.frequencies + fitted.phases)
        return cosines.astype(np.float64) @ fitted.weight + fitted.bias

    def test_no_feature_covaries_with_the_labels(self):
        features = self.before_normalising(self.project())
        means = [features[self.codes == c].mean(axis=0) for c in (0, 1)]
        plain = self.kernel(self.X)
        gap = (plain[self.codes == 0].mean(0) - plain[self.codes == 1].mean(0)).norm()
        assert np.linalg.norm(means[0] - means[1]) < 1e-5 * gap

    def test_it_is_the_eigenproblem_in_a_basis_of_the_null_space(self):
        F = self.kernel(self.X).double().numpy()
        F = F - F.mean(axis=0)
        gap = F[self.codes == 0].mean(axis=0) - F[self.codes == 1].mean(axis=0)
        basis = np.linalg.svd(gap[None])[2][1:].T
        C = F.T @ F / len(F) @ basis
        vectors = np.linalg.eigh(C.T @ C)[1][:, ::-1][:, :10]
        expected = F @ basis @ vectors
        found = self.before_normalising(self.project())
        signs = np.sign((expected * found).sum(axis=0))
        np.testing.assert_allclose(found * signs, expected, atol=2e-4)

    def test_the_tolerance_leaves_out_directions_and_one_stays(self):
        assert self.project(tolerance=1.0).n_features_out == 1
        narrow = self.project(n_components=80, tolerance=1e-2).n_features_out
        assert 1 < narrow < self.project(n_components=80, tolerance=1e-6).n_features_out

    def test_blocks_add_up(self, set_block_rows):
        whole = self.project()
        set_block_rows(70)
        parts = self.project()
        product = np.abs(np.sum(whole.weight * parts.weight, axis=0))
        np.testing.assert_allclose(product, np.sum(whole.weight**2, axis=0), rtol=1e-3)


def fourier(d=3, D=7, k=2):
    rng = np.random.default_rng(0)
    shapes = ((d, D), (D,), (D, k), (k,))
    return FourierProjection(*(rng.standard_normal(s).astype(np.float32) for s in shapes))


def test_the_map_is_its_equation(set_block_rows):
    f, X = fourier(), rows(10).numpy()
    plain = np.cos(X @ f.frequencies + f.phases) @ f.weight + f.bias
    expected = plain / np.linalg.norm(plain, axis=1, keepdims=True)
    np.testing.assert_allclose(f(X), expected, rtol=1e-5)
    assert f(X.astype(np.float64)).dtype == np.float64
    set_block_rows(3)
    np.testing.assert_allclose(f(X), expected, rtol=1e-5)


def test_a_damaged_map_is_refused():
    arrays = fourier().arrays()
    for name, wrong in (("phases", 6), ("bias", 3)):
        with pytest.raises(InputError, match=f"array {name!r}: expected shape"):
            FourierProjection.from_arrays(arrays | {name: np.zeros(wrong, dtype=np.float32)})
    with pytest.raises(InputError, match="expected arrays"):
        FourierProjection.from_arrays({"phases": arrays["phases"]})
    with pytest.raises(InputError, match="expected embeddings of 3 features"):
        fourier()(np.zeros((2, 4), dtype=np.float32))
