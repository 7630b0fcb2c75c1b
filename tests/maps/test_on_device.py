"""Torch in place of numpy, on the device that every machine has: its processor."""

from dataclasses import dataclass

import numpy as np
import pytest

from sensitivenets.errors import InputError
from sensitivenets.maps import on_device
from sensitivenets.maps.affine import Affine
from sensitivenets.maps.base import Model
from sensitivenets.maps.model_folder import save_model
from sensitivenets.maps.on_device import products_on
from sensitivenets.maps.projection import Projection
from sensitivenets.maps.routed import GroupTransport, RoutedMap, Router

RNG = np.random.default_rng(0)
D, GROUPS = 5, 3
HERE = products_on("cpu")


def numbers(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


ROUTER = Router(numbers(GROUPS, D), numbers(GROUPS, D, D), numbers(GROUPS))
TRANSPORT = GroupTransport(numbers(GROUPS, D, D), numbers(GROUPS, D))


def test_scores_and_products_are_those_of_numpy():
    X = 3 + numbers(40, D)
    there = HERE.router(ROUTER)
    assert there.scores(X).dtype == np.float32
    np.testing.assert_allclose(there.scores(X), ROUTER.scores(X), rtol=1e-5)
    np.testing.assert_array_equal(there(X), ROUTER(X))
    np.testing.assert_allclose(HERE.scatter(X, np.empty(0)), X.T @ X, rtol=1e-5)


def test_rows_of_another_scale_and_of_none_are_mapped_alike():
    X = numbers(40, D) * np.geomspace(0.01, 100, 40, dtype=np.float32)[:, None]
    X[7] = 0
    routed = RoutedMap(ROUTER, (TRANSPORT,), np.array([0.5, 1, 2], np.float32))
    for phi in (routed, Projection(numbers(D, 4))):
        np.testing.assert_allclose(HERE.maps([phi])[0](X), phi(X), atol=1e-5)


def test_neither_blocks_nor_read_only_rows_change_anything(monkeypatch):
    X = numbers(40, D)
    X.flags.writeable = False
    parts = [Affine(numbers(D, D), numbers(D)), RoutedMap(ROUTER, (TRANSPORT,))]
    monkeypatch.setattr(on_device, "_ROWS", 7)
    (there,) = HERE.maps(parts)
    np.testing.assert_allclose(there(X), parts[1](parts[0](X)), atol=1e-5)
    assert there(X[:0]).shape == (0, D)
    assert HERE.maps([]) == ()


@pytest.mark.parametrize("name", ["meta", "mps", "cuda:97", "the card", ""])
def test_a_device_that_is_not_here_is_refused(name):
    with pytest.raises(
        InputError, match=rf"device '{name}': expected one on which torch .* found"
    ) as e:
        products_on(name)
    assert "found cpu" in str(e.value)
    assert "leave it out to compute with numpy" in str(e.value)


def test_what_has_no_form_is_refused_and_what_is_there_is_not_saved(tmp_path):
    @dataclass(frozen=True)
    class Own(Affine):
        pass

    own = Own(numbers(D, D), numbers(D))
    (there,) = HERE.maps([own])
    with pytest.raises(InputError, match=r"device: expected a map of Projection, .*; found Own"):
        there(numbers(2, D))
    with pytest.raises(InputError, match="cannot save the model: unknown map 'on_device'"):
        save_model(Model(there, "Own", {}, {}), tmp_path / "model")
