import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from sensitivenets.erasers.dependence.farm import FaRM, KRaM
from sensitivenets.erasers.dependence.measures import coding_rate, kernel_rate, mean_class_rate
from sensitivenets.erasers.neural.training_rows import ClassCodes
from sensitivenets.errors import InputError
from sensitivenets.maps.model_folder import load_model, save_model

TINY = {"n_hidden": 12, "n_epochs": 2, "batch_size": 32, "random_state": 0}
BOTH = pytest.mark.parametrize("method", [FaRM, KRaM])


def unit_rows(n, k, seed=0):
    Z = np.random.default_rng(seed).standard_normal((n, k))
    return torch.from_numpy(Z / np.linalg.norm(Z, axis=1, keepdims=True))


def naive_rate(Z, eps2, n):
    return 0.5 * np.linalg.slogdet(np.eye(Z.shape[1]) + Z.shape[1] / (n * eps2) * Z.T @ Z)[1]


class TestRates:
    Z = unit_rows(40, 5)
    codes = torch.from_numpy(np.random.default_rng(0).integers(3, size=40))
    classes = ClassCodes(codes, 3)

    def test_by_hand(self):
        # Two orthonormal rows in two dimensions: I + 2 / (2 * 0.5) I = 3 I.
        eye = torch.eye(2)
        assert float(coding_rate(eye, 0.5)) == pytest.approx(math.log(3))
        # The same row twice: one eigenvalue 1 + 2 / (2 * 0.5) * 2 = 5.
        assert float(coding_rate(eye[[0, 0]], 0.5)) == pytest.approx(0.5 * math.log(5))
        # A class each: 1/2 log(1 + 2 / 0.5), on average; with K 1/2 log(1 + 2 / (2 * 0.5)), twice.
        alone = ClassCodes(torch.tensor([0, 1]), 2)
        assert float(mean_class_rate(eye, alone, 0.5)) == pytest.approx(0.5 * math.log(5))
        assert float(kernel_rate(eye, alone, 0.5)) == pytest.approx(math.log(3))

    @pytest.mark.parametrize("n", [40, 3])
    def test_of_all_rows(self, n):
        Z = self.Z[:n]
        assert float(coding_rate(Z, 0.3)) == pytest.approx(naive_rate(Z.numpy(), 0.3, n))

    def test_of_classes_with_masks_of_all_rows(self):
        Z, expected = self.Z.numpy(), 0.0
        for code in range(3):
            mask = np.diag((self.codes.numpy() == code).astype(float))
            trace = np.trace(mask)
            inner = np.eye(5) + 5 / (trace * 0.5) * Z.T @ mask @ Z
            expected += trace / 40 * 0.5 * np.linalg.slogdet(inner)[1]
        assert float(mean_class_rate(self.Z, self.classes, 0.5)) == pytest.approx(expected)

    def test_of_a_kernel_with_the_matrix_of_all_pairs(self):
        codes, Z = self.codes.numpy(), self.Z.numpy()
        K = codes[:, None] == codes
        expected = 0.5 * np.linalg.slogdet(np.eye(40) + 5 / (40 * 0.5) * (Z @ Z.T) * K)[1]
        assert float(kernel_rate(self.Z, self.classes, 0.5)) == pytest.approx(expected)

    def test_rows_without_a_label_take_no_part(self):
        codes = torch.where(self.codes == 2, -1, self.codes)
        known = codes >= 0
        for rate in (mean_class_rate, kernel_rate):
            some = rate(self.Z, ClassCodes(codes, 4), 0.5)
            torch.testing.assert_close(some, rate(self.Z[known], ClassCodes(codes[known], 2), 0.5))
            assert not rate(self.Z, ClassCodes(torch.full((40,), -1), 2), 0.5)


def two_axes():
    """A class lies along one axis, the other along another; a task is in a third feature."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1200, 6)).astype(np.float32)
    gender = rng.integers(2, size=1200)
    X[np.arange(1200), gender] += 3
    return X, gender, X[:, 2] > 0


def products(Z):
    """All products of two features of unit rows: what a reader sees that is blind to signs."""
    Z = 2 * Z / np.linalg.norm(Z, axis=1, keepdims=True)
    return (Z[:, :, None] * Z[:, None, :]).reshape(len(Z), -1)


def read(Z, codes):
    attacker = LogisticRegression(max_iter=1000).fit(Z[:300], codes[:300])
    return attacker.score(Z[300:], codes[300:])


@BOTH
def test_second_moments_say_no_class_any_more_and_the_task_stays(method):
    X, gender, task = two_axes()
    eraser = method(n_hidden=32, n_epochs=60, batch_size=300, learning_rate=1e-2, random_state=0)
    hidden = eraser.fit(X[:600], sensitive={"gender": gender[:600]}).transform(X[600:])
    assert read(products(X[600:]), gender[600:]) > 0.9
    assert read(products(hidden), gender[600:]) < 0.62
    assert read(hidden, task[600:]) > 0.9


def test_what_a_sign_says_is_not_hidden():
    # The limit of the method: a class that mirrors the other takes the same room.
    Z = unit_rows(60, 5)
    both, codes = torch.cat([Z, -Z]), torch.tensor([0] * 60 + [1] * 60)
    mirrored = mean_class_rate(both, ClassCodes(codes, 2), 0.5)
    torch.testing.assert_close(mirrored, coding_rate(both, 0.5))
    X, gender, _ = two_axes()
    eraser = FaRM(n_hidden=32, n_epochs=60, batch_size=300, learning_rate=1e-2, random_state=0)
    hidden = eraser.fit(X[:600], sensitive={"gender": gender[:600]}).transform(X[600:])
    assert read(hidden, gender[600:]) > 0.9


def test_farm_maximises_both_rates(noise):
    X, _, sensitive = noise
    curve = (
        FaRM(**TINY | {"n_epochs": 60, "batch_size": 90}).fit(X, sensitive=sensitive).model_.curve
    )
    assert curve[-1]["rate"] > curve[0]["rate"]
    assert curve[-1]["class_rate"] > curve[0]["class_rate"]
    last = curve[-1]
    assert last["loss"] == pytest.approx(-last["rate"] - last["class_rate"], rel=1e-5)


def test_the_weight_of_kram_holds_the_rate_of_all_rows(noise):
    X, _, sensitive = noise
    settings = {"n_epochs": 40, "learning_rate": 1e-2}
    # Of one seed the last epoch may be anything on another processor: three together are not.
    held = [
        sum(
            KRaM(**TINY | settings | {"rate_weight": weight, "random_state": seed})
            .fit(X, sensitive=sensitive)
            .model_.curve[-1]["constraint"]
            for seed in range(3)
        )
        for weight in (0.0, 300.0)
    ]
    assert held[1] < 0.5 * held[0]


@BOTH
def test_a_saved_map_is_the_map_of_unit_rows(method, noise, tmp_path):
    X, _, sensitive = noise
    model = method(n_units=4, **TINY).fit(X, sensitive=sensitive).model_
    save_model(model, tmp_path / "model")
    hidden = load_model(tmp_path / "model").map(X)
    np.testing.assert_array_equal(hidden, model.map(X))
    assert hidden.shape == (90, 4)
    np.testing.assert_allclose(np.linalg.norm(hidden, axis=1), 1, rtol=1e-5)


@BOTH
def test_attributes_may_come_with_rows_of_their_own(method, noise):
    X, _, sensitive = noise
    assert method(**TINY).fit(X[:50], detector=(X, sensitive)).transform(X).shape == X.shape


@BOTH
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_units": 0}, "n_units: expected an integer of at least 1"),
        ({"n_hidden": 0}, "n_hidden: expected an integer of at least 1"),
        ({"n_epochs": 1.5}, "n_epochs: expected an integer"),
        ({"batch_size": 1}, "batch_size: expected an integer of at least 2"),
        ({"distortion": 0}, "distortion: expected a number above 0"),
        ({"learning_rate": 0}, "learning_rate: expected a number above 0"),
    ],
)
def test_parameters_are_checked(method, noise, parameters, message):
    with pytest.raises(InputError, match=message):
        method(**parameters).fit(noise[0], sensitive=noise[2])


def test_the_weight_of_kram_is_checked(noise):
    with pytest.raises(InputError, match="rate_weight: expected a number at least 0"):
        KRaM(rate_weight=-1).fit(noise[0], sensitive=noise[2])
