"""What holds for every kind of map: it goes through a folder, and other arrays are refused."""

import re

import numpy as np
import pytest

from sensitivenets.errors import InputError
from sensitivenets.maps.affine import Affine, LowRankEdit
from sensitivenets.maps.base import Model
from sensitivenets.maps.chain import Chain
from sensitivenets.maps.feature_selection import FeatureSelection
from sensitivenets.maps.fourier import FourierProjection
from sensitivenets.maps.kinds import KINDS, rebuild_map
from sensitivenets.maps.mlp import MLP
from sensitivenets.maps.model_folder import load_model, save_model
from sensitivenets.maps.on_device import products_on
from sensitivenets.maps.projection import Projection
from sensitivenets.maps.routed import CellShift, GroupTransport, RoutedMap, Router, SubspaceMap
from sensitivenets.maps.universal_code import UniversalCode

RNG = np.random.default_rng(0)
D, K, GROUPS, R = 6, 4, 3, 2


def numbers(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def router(d):
    return Router(numbers(GROUPS, d), numbers(GROUPS, d, d), numbers(GROUPS))


def transport(d):
    return GroupTransport(numbers(GROUPS, d, d), numbers(GROUPS, d))


CELLS = CellShift(numbers(5, D), numbers(GROUPS, 5, D), np.ones(1, np.float32))
OTHER_CELLS = CellShift(numbers(2, D), numbers(GROUPS, 2, D), np.ones(1, np.float32))
PROJECTION = Projection(numbers(D, K), numbers(K))
MAPS = {
    "projection": PROJECTION,
    "projection without bias": Projection(numbers(D, K)),
    "affine": Affine(numbers(D, K), numbers(K)),
    "low-rank edit": LowRankEdit(numbers(D, R), numbers(R), numbers(R, D)),
    "nothing removed": LowRankEdit(numbers(D, 0), numbers(0), numbers(0, D)),
    "feature selection": FeatureSelection(np.arange(D) % 2 == 0),
    "fourier": FourierProjection(numbers(D, 9), numbers(9), numbers(9, K), numbers(K)),
    "one layer": MLP((numbers(D, K),), (numbers(K),)),
    "three layers": MLP(
        (numbers(D, 7), numbers(7, 5), numbers(5, K)), (numbers(7), numbers(5), numbers(K)), True
    ),
    "routed": RoutedMap(router(D), (transport(D), CELLS, OTHER_CELLS)),
    "subspace": SubspaceMap(numbers(D, R), router(R), transport(R)),
    "code": UniversalCode(numbers(D, 16), numbers(16)),
    "chain": Chain((Affine(numbers(D, D), numbers(D)), RoutedMap(router(D), (transport(D),)))),
}
X = numbers(11, D)

every_map = pytest.mark.parametrize("phi", MAPS.values(), ids=MAPS)


def refused(phi, arrays, message):
    with pytest.raises(InputError, match=message):
        rebuild_map(phi.kind, arrays)


def test_every_kind_is_here():
    assert {phi.kind for phi in MAPS.values()} == {*KINDS, "chain"}


@every_map
def test_a_map_goes_through_a_folder(phi, tmp_path):
    save_model(Model(phi, "Method", {}, {}), tmp_path / "model")
    again = load_model(tmp_path / "model").map
    assert type(again) is type(phi)
    assert list(again.arrays()) == list(phi.arrays())
    np.testing.assert_array_equal(again(X), phi(X))


@every_map
@pytest.mark.parametrize(("dtype", "most"), [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_torch_maps_as_numpy_does(phi, dtype, most):
    rows = X.astype(dtype)
    (there,) = products_on("cpu").maps([phi])
    assert there(rows).dtype == dtype
    np.testing.assert_allclose(there(rows), phi(rows), atol=most)
    assert (there.n_features_in, there.n_features_out) == (phi.n_features_in, phi.n_features_out)


@every_map
def test_the_declared_sizes_are_those_of_its_rows(phi):
    assert (phi.n_features_in, phi.n_features_out) == (D, phi(X).shape[1])


@every_map
def test_an_array_too_many_is_refused(phi):
    prefix = f"0.{phi.parts[0].kind}." if phi.kind == "chain" else ""
    refused(phi, phi.arrays() | {f"{prefix}kernel": X}, r"expected arrays .*; found .*kernel")


@every_map
def test_an_array_too_few_is_refused(phi):
    for name in phi.arrays():
        if not (phi.kind == "projection" and name == "bias"):
            rest = {other: array for other, array in phi.arrays().items() if other != name}
            refused(phi, rest, "expected (arrays|stage|parts)")


@every_map
def test_an_array_of_another_rank_is_refused_by_name(phi):
    for name, array in phi.arrays().items():
        message = rf"array '{name.rpartition('.')[2]}'" if phi.kind == "chain" else f"'{name}'"
        if phi.kind == "chain" and name.startswith("1."):
            message = f"array '{name.removeprefix('1.routed.')}'"
        refused(phi, phi.arrays() | {name: array[None]}, f"{message}: expected shape .*, found")


@pytest.mark.parametrize("name", sorted(set(MAPS) - {"feature selection", "chain"}))
def test_an_array_that_does_not_fit_the_others_is_refused(name):
    # The last axis alone grows: some other array has the same letter.
    phi = MAPS[name]
    free = {"weight", "frequencies"} if name == "projection without bias" else set()
    for array_name, array in phi.arrays().items():
        if array_name not in free:
            longer = np.concatenate([array, array[..., -1:] if array.size else array], axis=-1)
            if longer.shape != array.shape:
                refused(phi, phi.arrays() | {array_name: longer}, r"expected shape \(.*, found \(")


@every_map
@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32])
def test_an_array_of_another_type_is_refused(phi, dtype):
    for name, array in phi.arrays().items():
        changed = phi.arrays() | {name: array.astype(dtype)}
        refused(phi, changed, rf"array '.+': expected float32, found {np.dtype(dtype)}")


@every_map
def test_no_weight_is_shown(phi):
    model = Model(phi, "Method", {}, {"gender": ("f", "m")}, {"X": {"rows": 3}}, ({"loss": 1.0},))
    for text in (repr(phi), repr(model)):
        assert "array" not in text
        assert not re.search(r"\d\.\d", text), text
    name, array = next(iter(MAPS["affine"].arrays().items()))
    assert f"{name}={array.shape}" in repr(MAPS["affine"])
