import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from sensitivenets.codes import (
    CodeKey,
    CodeParameters,
    UniversalCode,
    code_of_key,
    distance_of_cosine,
    expected_hamming,
    hamming_distances,
    unpack,
)
from sensitivenets.codes.streams import normal_stream, uniform_stream
from sensitivenets.errors import InputError
from sensitivenets.maps.base import Model
from sensitivenets.maps.chain import Chain
from sensitivenets.maps.model_folder import load_model, save_model
from sensitivenets.maps.projection import Projection


def unit_rows(n, d, seed=0):
    rows = np.random.default_rng(seed).standard_normal((n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def code():
    return code_of_key(CodeKey.from_seed(0), CodeParameters(16, 64, 1.5))


def test_bits_are_the_sign_of_the_cosine(code):
    X = unit_rows(20, 16).astype(np.float64)
    expected = np.zeros((20, 64), dtype=np.uint8)
    for i in range(20):
        for b in range(64):
            phase = sum(X[i, j] * float(code.directions[j, b]) for j in range(16))
            expected[i, b] = np.cos(phase + float(code.offsets[b])) >= 0
    np.testing.assert_array_equal(np.unpackbits(code.pack(X), axis=1), expected)


def test_a_hand_made_code():
    code = UniversalCode(
        np.array([[0, np.pi, 2 * np.pi]], dtype=np.float32), np.zeros(3, dtype=np.float32)
    )
    # x = 1: phases 0, pi, 2 pi; the padding of the byte is 0.
    assert code.pack(np.array([[5.0]], dtype=np.float32)).tolist() == [[0b10100000]]
    np.testing.assert_allclose(code(np.array([[5.0]])) * np.sqrt(3), [[1, -1, 1]])


def test_bits_of_many_rows_are_the_sign_of_the_cosine_but_for_rounding():
    code = code_of_key(CodeKey.from_seed(1), CodeParameters(16, 64, 4.0))
    X = unit_rows(9000, 16)
    exact = np.cos(X.astype(np.float64) @ code.directions + code.offsets)
    bits = np.unpackbits(code.pack(X), axis=1).astype(bool)
    differ = bits != (exact >= 0)
    assert np.abs(exact[differ]).max(initial=0) < 1e-5
    assert differ.mean() < 1e-5
    np.testing.assert_array_equal(code(X) > 0, bits)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_number_of_threads_changes_no_bit(code, dtype):
    X = unit_rows(9000, 16).astype(dtype)
    found = []
    for n_threads in (1, 3):
        with threadpool_limits(n_threads, user_api="blas"):
            found.append((code.pack(X), code(X)))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_only_the_direction_of_a_row_counts(code):
    X = unit_rows(30, 16)
    np.testing.assert_array_equal(code.pack(4 * X), code.pack(X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_are_the_bits(code, dtype):
    X = unit_rows(9, 16).astype(dtype)
    numbers = code(X)
    assert numbers.dtype == dtype
    np.testing.assert_allclose(np.linalg.norm(numbers, axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(unpack(code.pack(X), 64), numbers.astype(np.float32))


@given(st.integers(1, 70), st.integers(0, 1000))
def test_unpacking_undoes_packing_for_any_number_of_bits(n_bits, seed):
    bits = np.random.default_rng(seed).integers(2, size=(3, n_bits), dtype=np.uint8)
    expected = (2.0 * bits - 1) / np.sqrt(n_bits)
    np.testing.assert_allclose(unpack(np.packbits(bits, axis=1), n_bits), expected, rtol=1e-6)


def test_the_cosine_of_numbers_is_one_less_twice_the_share_of_different_bits(code):
    X = unit_rows(40, 16)
    numbers, packed = code(X), code.pack(X)
    share = hamming_distances(packed, packed) / 64
    np.testing.assert_allclose(numbers @ numbers.T, 1 - 2 * share, atol=1e-6)


def test_blocks_do_not_matter():
    code = code_of_key(CodeKey.from_seed(0), CodeParameters(8, 64))
    X = unit_rows(2500, 8).astype(np.float64)
    whole = code.pack(X)
    parts = np.concatenate([code.pack(X[:7]), code.pack(X[7:1031]), code.pack(X[1031:])])
    np.testing.assert_array_equal(parts, whole)


def test_the_input_is_not_changed(code):
    X = 3 * unit_rows(5, 16)
    before = X.copy()
    code(X)
    code.pack(X)
    np.testing.assert_array_equal(X, before)


def test_a_key_keeps_its_code_for_ever():
    # A change here would make every stored code useless. The figures were computed apart, with
    # hmac, hashlib and statistics.NormalDist.
    code = code_of_key(CodeKey(bytes(range(32))), CodeParameters(3, 16, 1.5))
    expected = [1.032767, 1.108544, 0.010162, 0.271703]
    np.testing.assert_allclose(code.directions[0, :4], expected, atol=1e-6)
    np.testing.assert_allclose(code.directions[1, :2], [-0.91324, 1.604502], atol=1e-6)
    np.testing.assert_allclose(code.offsets[:3], [5.619539, 0.31589, 3.867109], atol=1e-6)


def test_the_stream_is_shake_256():
    word = int.from_bytes(hashlib.shake_256(b"seed").digest(24)[16:], "little")
    assert uniform_stream(b"seed", 5)[2] == ((word >> 12) + 0.5) / 2**52
    np.testing.assert_array_equal(uniform_stream(b"seed", 9)[:5], uniform_stream(b"seed", 5))


def test_directions_are_gaussian_of_the_scale_and_offsets_uniform():
    from scipy.stats import kstest

    code = code_of_key(CodeKey.from_seed(5), CodeParameters(64, 1024, 2.5))
    assert kstest(code.directions.ravel() / 2.5, "norm").pvalue > 0.001
    assert kstest(code.offsets / (2 * np.pi), "uniform").pvalue > 0.001
    assert np.isfinite(normal_stream(b"any", 100_000)).all()


def test_other_keys_and_other_parameters_give_unrelated_directions():
    key = CodeKey.from_seed(0)
    base = code_of_key(key, CodeParameters(32, 256, 1.5)).directions[:, :128].ravel()
    others = [
        code_of_key(CodeKey.from_seed(1), CodeParameters(32, 256, 1.5)),
        code_of_key(key, CodeParameters(32, 128, 1.5)),
        code_of_key(key, CodeParameters(32, 256, 1.6)),
    ]
    for other in others:
        correlation = np.corrcoef(base, other.directions[:, :128].ravel())[0, 1]
        assert abs(correlation) < 5 / np.sqrt(len(base))


@pytest.mark.parametrize("scale", [0.3, 1.5, 4.0])
@pytest.mark.parametrize("cosine", [0.999, 0.95, 0.8, 0.5, 0.0, -0.9])
def test_bits_differ_as_often_as_the_closed_form_says(scale, cosine):
    x = np.zeros((2, 6))
    x[0, 0], x[1, 0], x[1, 1] = 1, cosine, np.sqrt(1 - cosine**2)
    n_bits = 40_000
    packed = code_of_key(CodeKey.from_seed(9), CodeParameters(6, n_bits, scale)).pack(x)
    share = hamming_distances(packed[0], packed[1:])[0] / n_bits
    expected = float(expected_hamming(distance_of_cosine(cosine), scale))
    assert share == pytest.approx(expected, abs=4.5 * np.sqrt(expected / n_bits))


@pytest.mark.parametrize("u", [0.0, 1e-3, 0.2, 0.499, 0.5, 0.7, 1.0, 3.0])
def test_the_closed_form_is_the_mean_of_a_triangle_wave(u):
    # Bits at phases t apart differ with the probability |t| / pi, folded; t is Gaussian.
    z = np.linspace(-9, 9, 2_000_001)
    t = np.abs((u * z + np.pi) % (2 * np.pi) - np.pi) / np.pi
    expected = np.trapezoid(t * np.exp(-(z**2) / 2), z) / np.sqrt(2 * np.pi)
    assert float(expected_hamming(u, 1.0)) == pytest.approx(expected, abs=1e-9)


def test_the_expected_distance_grows_and_flattens():
    expected = expected_hamming(np.linspace(0, 2, 400), 1.5)
    assert expected[0] == 0
    assert (np.diff(expected) > 0).all()
    assert expected[-1] < 0.5
    assert expected_hamming(2.0, 3.0) == pytest.approx(0.5, abs=1e-8)


def test_a_public_code_goes_through_a_model_folder(tmp_path, code):
    first = Projection(np.random.default_rng(0).standard_normal((5, 16)).astype(np.float32))
    chain = Chain((first, code))
    save_model(Model(chain, "PublicCode", {}, {}), tmp_path / "model")
    X = unit_rows(11, 5)
    np.testing.assert_array_equal(load_model(tmp_path / "model").map(X), code(first(X)))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"directions": (3, 8)}, "expected arrays"),
        ({"directions": (3, 8), "offsets": (7,)}, r"'offsets': expected shape \(k,\) with k = 8"),
        ({"directions": (8,), "offsets": (8,)}, r"'directions': expected shape \(d, k\)"),
        ({"directions": (3, 0), "offsets": (0,)}, "expected features and bits"),
    ],
)
def test_damaged_arrays_are_refused(arrays, message):
    arrays = {name: np.zeros(shape, dtype=np.float32) for name, shape in arrays.items()}
    with pytest.raises(InputError, match=message):
        UniversalCode.from_arrays(arrays)


@pytest.mark.parametrize("X", [np.zeros((2, 5)), np.zeros(16), np.zeros((2, 16), dtype=np.int64)])
def test_embeddings_that_do_not_fit_are_refused(code, X):
    for call in (code, code.pack):
        with pytest.raises(InputError, match=r"expected (embeddings of 16|floating-point)"):
            call(X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((0, 8, 1.0), "n_features: expected an integer of at least 1"),
        ((4, 12, 1.0), "n_bits: expected a multiple of 8, found 12"),
        ((4, True, 1.0), "n_bits: expected an integer"),
        ((4, 8, 0.0), "scale: expected a number above 0"),
        ((4, 8, float("nan")), "scale: expected a number above 0"),
        ((4, 8, "1"), "scale: expected a number above 0"),
    ],
)
def test_impossible_parameters_are_refused(parameters, message):
    with pytest.raises(InputError, match=message):
        CodeParameters(*parameters)
