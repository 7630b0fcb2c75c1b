import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from sensitivenets.erasers.dependence.measures import moment_gaps
from sensitivenets.erasers.dependence.pfrnet import PFRNet
from sensitivenets.erasers.neural.training_rows import ClassCodes
from sensitivenets.errors import InputError

TINY = {"n_dependent": 2, "n_hidden": 16, "n_epochs": 2, "batch_size": 32, "random_state": 0}


def shifted(n=1200):
    """Gender moves the mean of one feature and widens another; a task is in a third."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 8)).astype(np.float32)
    gender = rng.integers(2, size=n)
    X[:, 0] += 3 * gender
    X[:, 1] *= 1 + gender
    return X, gender, X[:, 2] > 0


@pytest.fixture(scope="module")
def fitted():
    X, gender, task = shifted()
    parameters = {"n_hidden": 32, "n_dependent": 2, "n_epochs": 60, "batch_size": 300}
    eraser = PFRNet(random_state=0, learning_rate=5e-3, **parameters)
    return X, gender, task, eraser.fit(X[:600], sensitive={"gender": gender[:600]})


def gap(Z, codes):
    Z = (Z - Z.mean(axis=0)) / np.sqrt((Z**2).mean())
    return np.mean((Z[codes == 0].mean(axis=0) - Z[codes == 1].mean(axis=0)) ** 2)


def test_first_moments_of_the_classes_are_equal_on_new_rows(fitted):
    X, gender, _, eraser = fitted
    new, codes = X[600:], gender[600:]
    noise = 2 * 2 / 300  # of the mean of 300 rows, for each of two classes
    assert gap(new, codes) > 0.4
    assert gap(eraser.transform(new), codes) < noise


def test_a_linear_attacker_reads_less_and_the_task_stays(fitted):
    X, gender, task, eraser = fitted
    hidden = eraser.transform(X[600:])

    def read(Z, codes):
        return LogisticRegression().fit(Z[:300], codes[:300]).score(Z[300:], codes[300:])

    assert read(X[600:], gender[600:]) > 0.9
    assert read(hidden, gender[600:]) < 0.62
    assert read(hidden, task[600:]) > 0.8


def test_training_rebuilds_and_closes_the_gap(fitted):
    curve = fitted[-1].model_.curve
    assert curve[-1]["gap"] < 0.2 * curve[0]["gap"]
    assert curve[-1]["reconstruction"] < 0.5 * curve[0]["reconstruction"]
    expected = curve[-1]["reconstruction"] + 10 * curve[-1]["gap"] + 0.01 * curve[-1]["separation"]
    assert curve[-1]["loss"] == pytest.approx(expected, rel=1e-4)


def test_the_weight_closes_the_gap_further(noise):
    X, _, sensitive = noise
    gaps = [
        PFRNet(
            **TINY
            | {"moment_weight": weight, "n_epochs": 80, "learning_rate": 1e-2, "batch_size": 90}
        )
        .fit(X, sensitive=sensitive)
        .model_.curve[-1]["gap"]
        for weight in (0.0, 100.0)
    ]
    assert gaps[1] < 0.5 * gaps[0]


def test_moments_are_their_definition():
    rng = np.random.default_rng(0)
    Z, codes = rng.standard_normal((40, 3)), rng.integers(-1, 3, size=40)
    found = moment_gaps(torch.from_numpy(Z), [ClassCodes(torch.from_numpy(codes), 3)], 3)
    centred = Z - Z[codes >= 0].mean(axis=0)
    expected = []
    for a, b in ((0, 1), (0, 2), (1, 2)):
        moments = []
        for code in (a, b):
            rows = centred[codes == code]
            mean = rows.mean(axis=0)
            moments.append([mean, ((rows - mean) ** 2).mean(0), ((rows - mean) ** 3).mean(0)])
        expected.append(np.subtract(*moments))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_moments_by_hand_and_absent_classes():
    Z = torch.tensor([[0.0], [2.0], [5.0], [5.0], [9.0]])
    codes = torch.tensor([0, 0, 1, 1, 2])
    # Means 1 and 5, variances 1 and 0; the third class has one row.
    gaps = moment_gaps(Z, [ClassCodes(codes, 3)], 2)
    np.testing.assert_allclose(gaps.numpy(), [[[-4.0], [1.0]]], atol=1e-6)
    assert moment_gaps(Z, [ClassCodes(torch.tensor([0, 0, 0, 0, 1]), 2)], 2).shape == (0, 2, 1)


def test_the_output_leaves_out_as_many_features_as_asked(noise):
    X, _, sensitive = noise
    hidden = PFRNet(**TINY).fit_transform(X, sensitive=sensitive)
    assert hidden.shape == (90, 4)
    np.testing.assert_allclose(np.linalg.norm(hidden, axis=1), 1, rtol=1e-5)
    wide = PFRNet(n_units=9, **TINY).fit_transform(X, sensitive=sensitive)
    assert wide.shape == (90, 9)


def test_attributes_may_come_with_rows_of_their_own(noise):
    X, _, sensitive = noise
    assert PFRNet(**TINY).fit(X[:50], detector=(X, sensitive)).transform(X).shape == (90, 4)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_dependent": 0}, "n_dependent: expected an integer of at least 1"),
        ({"n_units": 0}, "n_units: expected an integer of at least 1"),
        ({"n_hidden": 0}, "n_hidden: expected an integer of at least 1"),
        ({"n_moments": 0}, "n_moments: expected an integer of at least 1"),
        ({"n_epochs": 1.5}, "n_epochs: expected an integer"),
        ({"batch_size": 1}, "batch_size: expected an integer of at least 2"),
        ({"moment_weight": -1}, "moment_weight: expected a number at least 0"),
        ({"separation_weight": -1}, "separation_weight: expected a number at least 0"),
        ({"learning_rate": 0}, "learning_rate: expected a number above 0"),
    ],
)
def test_parameters_are_checked(noise, parameters, message):
    with pytest.raises(InputError, match=message):
        PFRNet(**parameters).fit(noise[0], sensitive=noise[2])
