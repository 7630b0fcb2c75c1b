import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sensitivenets.datasets.synthetic import synthetic_diveface
from sensitivenets.erasers.coded_transport import CodedTransport
from sensitivenets.erasers.transport import RoutedTransport
from sensitivenets.errors import InputError
from sensitivenets.model_folder import load_model, save_model

TABLE = synthetic_diveface(n_subjects=300, images_per_subject=3, dim=32, random_state=0)
SENSITIVE = {"gender": TABLE.column("gender")}


@pytest.mark.filterwarnings("ignore::sensitivenets.errors.DetectorWarning")
@parametrize_with_checks([CodedTransport(n_rounds=1, n_bits=16, random_state=0)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_it_is_the_transport_then_the_code_through_a_model_folder(tmp_path):
    coded = CodedTransport(n_rounds=2, n_bits=64, random_state=3)
    coded.fit(TABLE.vectors, sensitive=SENSITIVE)
    transport = RoutedTransport(n_rounds=2, random_state=3)
    transport.fit(TABLE.vectors, sensitive=SENSITIVE)
    code = coded.model_.map.parts[-1]
    expected = code(transport.transform(TABLE.vectors))
    np.testing.assert_array_equal(coded.transform(TABLE.vectors), expected)
    save_model(coded.model_, tmp_path / "model")
    np.testing.assert_array_equal(load_model(tmp_path / "model").map(TABLE.vectors), expected)


def test_another_seed_is_another_code():
    first, other = (
        CodedTransport(n_rounds=1, n_bits=64, random_state=seed)
        .fit(TABLE.vectors, sensitive=SENSITIVE)
        .model_.map.parts[-1]
        for seed in (0, 1)
    )
    assert not np.array_equal(first.directions, other.directions)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_bits": 12}, "n_bits: expected a multiple of 8"),
        ({"n_rounds": 0}, "n_rounds: expected .*at least 1"),
        ({"scale": 0.0}, "scale: expected"),
    ],
)
def test_impossible_parameters_are_refused(parameters, message):
    with pytest.raises(InputError, match=message):
        CodedTransport(**parameters).fit(TABLE.vectors, sensitive=SENSITIVE)
