import numpy as np
import pytest

from sensitivenets.datasets.synthetic import synthetic_diveface
from sensitivenets.erasers.transport.coded_transport import CodedTransport
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.errors import InputError
from sensitivenets.maps.model_folder import load_model, save_model
from sensitivenets.verification.drawn_pairs import draw_pairs

TABLE = synthetic_diveface(n_subjects=300, images_per_subject=3, dim=32, random_state=0)
SENSITIVE = {"gender": TABLE.column("gender")}


def test_it_is_the_transport_centred_then_the_code_through_a_model_folder(tmp_path):
    coded = CodedTransport(n_rounds=2, n_bits=64, random_state=3)
    coded.fit(TABLE.vectors, sensitive=SENSITIVE)
    transport = RoutedTransport(n_rounds=2, random_state=3)
    transport.fit(TABLE.vectors, sensitive=SENSITIVE)
    code = coded.model_.map.parts[-1]
    moved = transport.transform(TABLE.vectors)
    expected = code(moved - moved.mean(axis=0))
    # A bit on the border may fall to either side where rounding decides.
    assert np.mean(coded.transform(TABLE.vectors) != expected) < 1e-3
    save_model(coded.model_, tmp_path / "model")
    np.testing.assert_array_equal(
        load_model(tmp_path / "model").map(TABLE.vectors), coded.transform(TABLE.vectors)
    )


def test_a_direction_that_all_rows_share_does_not_make_strangers_near():
    # As in dlib's network, where impostors have a mean cosine of 0.84.
    shared = TABLE.vectors + 2.5 * np.eye(TABLE.dim, dtype=np.float32)[0]
    shared /= np.linalg.norm(shared, axis=1, keepdims=True)
    pairs = draw_pairs(TABLE.labels("subject"), 1000, 1, random_state=0)
    impostors = pairs.left[~pairs.same], pairs.right[~pairs.same]
    differing = {}
    for name, X in (("as they are", TABLE.vectors), ("shared", shared)):
        coded = CodedTransport(n_rounds=1, n_bits=512, scale=1.75, random_state=0)
        bits = coded.fit_transform(X, sensitive=SENSITIVE) > 0
        differing[name] = np.mean(bits[impostors[0]] != bits[impostors[1]])
    assert differing["shared"] == pytest.approx(differing["as they are"], abs=0.02)


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


def test_directions_that_the_transport_drops_are_not_coded():
    wide = np.hstack([TABLE.vectors, np.zeros((len(TABLE), 4), dtype=np.float32)])
    coded = CodedTransport(n_rounds=1, n_bits=64, random_state=0).fit(wide, sensitive=SENSITIVE)
    assert coded.model_.map.parts[-1].directions.shape == (TABLE.dim, 64)
    assert coded.transform(wide).shape == (len(TABLE), 64)
