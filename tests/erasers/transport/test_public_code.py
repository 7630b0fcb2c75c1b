import numpy as np
import pytest

from sensitivenets.codes import CodeKey, CodeParameters, UniversalCode, code_of_key
from sensitivenets.erasers.transport.coded_transport import PublicCode
from sensitivenets.errors import InputError
from sensitivenets.maps.model_folder import load_model, save_model


def test_it_is_the_code_of_its_seed_through_a_model_folder(tmp_path):
    X = np.random.default_rng(0).standard_normal((30, 6)).astype(np.float32)
    attribute = ["a", "b"] * 15
    eraser = PublicCode(n_bits=64, scale=2.0, random_state=3).fit(X, sensitive=attribute)
    save_model(eraser.model_, tmp_path / "model")
    np.testing.assert_array_equal(load_model(tmp_path / "model").map(X), eraser.transform(X))
    other = PublicCode(n_bits=64, scale=2.0, random_state=4).fit(X, sensitive=attribute)
    assert not np.array_equal(other.transform(X), eraser.transform(X))
    assert isinstance(eraser.model_.map, UniversalCode)


def test_the_map_holds_the_scale():
    X = np.eye(64, dtype=np.float32)
    directions = PublicCode(scale=2.5, random_state=0).fit(X, sensitive=["a", "b"] * 32)
    assert directions.model_.map.directions.std() == pytest.approx(2.5, rel=0.02)
    expected = code_of_key(CodeKey.from_seed(0), CodeParameters(64, 1024, 2.5))
    assert expected.directions.shape == directions.model_.map.directions.shape


def test_impossible_parameters_are_refused():
    with pytest.raises(InputError, match="n_bits: expected a multiple of 8, found 10"):
        PublicCode(n_bits=10).fit(np.eye(4, dtype=np.float32), sensitive=["a", "b"] * 2)
