import numpy as np
import pytest
from sklearn.svm import SVC

from sensitivenets.erasers.dependence.obliviator import Obliviator
from sensitivenets.errors import InputError

TINY = {
    "n_iterations": 2,
    "n_fourier": 60,
    "n_hidden": 12,
    "n_epochs": 2,
    "batch_size": 64,
    "random_state": 0,
}


def read(Z, codes, n_fit):
    return SVC(C=10).fit(Z[:n_fit], codes[:n_fit]).score(Z[n_fit:], codes[n_fit:])


@pytest.fixture(scope="module")
def forgotten(xor_rows):
    X, gender, task = xor_rows
    eraser = Obliviator(
        n_iterations=2, n_fourier=200, n_hidden=32, n_epochs=60, learning_rate=5e-3, random_state=0
    )
    return X, gender, task, eraser.fit(X[:600], sensitive={"gender": gender[:600]})


def test_a_kernel_machine_reads_xor_before_and_not_after_on_new_rows(forgotten):
    X, gender, _, eraser = forgotten
    new, codes = X[600:], gender[600:]
    assert read(new, codes, 300) > 0.95
    assert read(eraser.transform(new), codes, 300) < 0.6


def test_what_is_not_the_attribute_stays(forgotten):
    X, _, task, eraser = forgotten
    assert read(eraser.transform(X[600:]), task[600:], 300) > 0.85


def test_kept_classes_are_kept_better(xor_rows):
    X, gender, _ = xor_rows
    weak = X[:, 4] > 0.5
    scores = []
    for y in (None, weak[:600]):
        eraser = Obliviator(
            n_components=2, n_iterations=1, n_fourier=100, batch_size=600, random_state=0
        ).fit(X[:600], y, sensitive={"gender": gender[:600]})
        scores.append(read(eraser.transform(X[600:]), weak[600:], 300))
    assert scores[1] > scores[0] + 0.05


def test_the_crossing_of_attributes_is_hidden_as_well():
    # Neither bit shows; whether they differ does.
    rng = np.random.default_rng(0)
    a, b = rng.integers(2, size=(2, 800))
    X = rng.standard_normal((800, 4)).astype(np.float32)
    X[:, 0] += 3 * (a ^ b)
    eraser = Obliviator(n_iterations=0, n_fourier=100, random_state=0)
    before, alone, crossed = (
        read(Z[400:], (a ^ b)[400:], 200)
        for Z in (
            X,
            eraser.fit(X[:400], sensitive={"a": a[:400]}).transform(X),
            eraser.fit(X[:400], sensitive={"a": a[:400], "b": b[:400]}).transform(X),
        )
    )
    assert min(before, alone) > 0.85
    assert crossed < 0.75


def test_the_curve_tells_of_each_iteration(forgotten):
    curve = forgotten[-1].model_.curve
    assert [record["iteration"] for record in curve] == [1, 2]
    assert all(record["hidden"] >= 0 and record["kept"] > 0 for record in curve)
    assert all(1 <= record["features"] <= 5 for record in curve)


def test_the_output_has_as_many_features_as_asked_for_and_unit_length(noise):
    X, _, sensitive = noise
    hidden = Obliviator(n_components=4, **TINY).fit_transform(X, sensitive=sensitive)
    assert hidden.shape == (90, 4)
    np.testing.assert_allclose(np.linalg.norm(hidden, axis=1), 1, rtol=1e-5)


def test_attributes_may_come_with_rows_of_their_own(noise):
    X, y, sensitive = noise
    eraser = Obliviator(**TINY).fit(X[:50], y[:50], detector=(X, sensitive))
    assert eraser.transform(X).shape == X.shape


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_iterations": -1}, "n_iterations: expected an integer of at least 0"),
        ({"n_components": 0}, "n_components: expected an integer of at least 1"),
        ({"n_fourier": 0}, "n_fourier: expected an integer of at least 1"),
        ({"n_hidden": 1.5}, "n_hidden: expected an integer"),
        ({"n_epochs": 0}, "n_epochs: expected an integer of at least 1"),
        ({"batch_size": 1}, "batch_size: expected an integer of at least 2"),
        ({"learning_rate": 0}, "learning_rate: expected a number above 0"),
        ({"start_weight": -1}, "start_weight: expected a number at least 0"),
        ({"previous_weight": -1}, "previous_weight: expected a number at least 0"),
        ({"target_weight": -1}, "target_weight: expected a number at least 0"),
        ({"min_bandwidth": 0}, "min_bandwidth: expected a number above 0"),
        ({"tolerance": 2}, "tolerance: expected a number at least 0.0 and at most 1"),
    ],
)
def test_parameters_are_checked(noise, parameters, message):
    with pytest.raises(InputError, match=message):
        Obliviator(**parameters).fit(noise[0], sensitive=noise[2])
