"""Eq. 5 and Eq. 6 against the paper's text, row by row."""

import math

import numpy as np
import pytest
import torch

from sensitivenets.sensitivenet.losses import sensitive_regulariser, triplet_loss
from sensitivenets.sensitivenet.phi import unit_products


def test_eq_5_on_cosines_is_eq_5_on_distances():
    generator = torch.Generator().manual_seed(0)
    a, p, n = torch.nn.functional.normalize(torch.randn(3, 50, 4, generator=generator), dim=2)
    expected = [
        float(((a[i] - p[i]) ** 2).sum() - ((a[i] - n[i]) ** 2).sum() + 0.2) for i in range(50)
    ]
    cosines = (a * p).sum(1), (a * n).sum(1)
    plain = triplet_loss(*cosines, margin=0.2, hinge=False)
    torch.testing.assert_close(plain, torch.tensor(expected), atol=1e-5, rtol=1e-5)
    hinged = triplet_loss(*cosines, margin=0.2, hinge=True)
    torch.testing.assert_close(
        hinged, torch.tensor([max(0.0, e) for e in expected]), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("probability", "expected"),
    [(0.9, 0.0), (0.0, math.log(1.9)), (1.0, math.log(1.1)), (0.4, math.log(1.5))],
)
def test_eq_6_by_hand(probability, expected):
    value = sensitive_regulariser(torch.tensor([probability]), target=0.9)
    assert float(value) == pytest.approx(expected, abs=1e-6)


def test_eq_6_has_no_gradient_at_its_target():
    probability = torch.tensor([0.9], requires_grad=True)
    sensitive_regulariser(probability, target=0.9).sum().backward()
    assert float(probability.grad) == 0.0


def naive_products(Z, left, right, directions, metric):
    root = torch.eye(Z.shape[1], dtype=Z.dtype) if metric is None else torch.linalg.cholesky(metric)
    unit = torch.nn.functional.normalize(Z @ root, dim=1)
    turned = directions if metric is None else torch.linalg.solve(root, directions)
    return (unit[left] * unit[right]).sum(1), unit @ turned


@pytest.mark.parametrize("with_metric", [False, True])
def test_unit_products_and_their_gradient_match_autograd(with_metric):
    generator = torch.Generator().manual_seed(1)
    Z = torch.randn(9, 4, generator=generator, dtype=torch.float64, requires_grad=not with_metric)
    directions = torch.randn(4, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    factor = torch.randn(4, 6, generator=generator, dtype=torch.float64, requires_grad=with_metric)
    left, right = torch.randint(0, 9, (2, 12), generator=generator)
    weights = torch.randn(12, generator=generator, dtype=torch.float64)
    weights[:5] = 0  # solved triplets
    variables = [directions, factor if with_metric else Z]

    def gradients(products):
        metric = factor @ factor.T if with_metric else None
        cosines, values = products(Z, left, right, directions, metric)
        loss = weights @ cosines + torch.log1p(values.exp()).sum()
        return [cosines, values, *torch.autograd.grad(loss, variables)]

    for fast, naive in zip(gradients(unit_products), gradients(naive_products), strict=True):
        torch.testing.assert_close(fast, naive)


def test_unit_products_do_not_depend_on_the_length_of_a_row():
    rng = np.random.default_rng(0)
    Z, scale = rng.standard_normal((5, 3)), rng.uniform(0.1, 10, (5, 1))
    pairs = torch.tensor([0, 1]), torch.tensor([2, 3])
    directions = torch.from_numpy(rng.standard_normal((3, 2)))
    plain = unit_products(torch.from_numpy(Z), *pairs, directions)
    scaled = unit_products(torch.from_numpy(Z * scale), *pairs, directions)
    for one, other in zip(plain, scaled, strict=True):
        torch.testing.assert_close(one, other)
