"""The adversarial erasers: the contract that all of them share."""

import sys

import numpy as np
import pytest

from sensitivenets.erasers.adversarial.adversarial_debiasing import AdversarialDebiasing
from sensitivenets.erasers.adversarial.blind_eye import BlindEye
from sensitivenets.erasers.adversarial.gradient_reversal import GradientReversal
from sensitivenets.erasers.adversarial.laftr import LAFTR
from sensitivenets.erasers.adversarial.learning_not_to_learn import LearningNotToLearn
from sensitivenets.erasers.adversarial.pass_ensemble import PASS
from sensitivenets.errors import CollapseWarning, InputError

METHODS = [LearningNotToLearn, BlindEye, GradientReversal, LAFTR, AdversarialDebiasing, PASS]
TINY = {"n_hidden": 16, "n_head_units": 4, "batch_size": 16, "n_epochs": 2, "random_state": 0}


def noise(n=48, d=6):
    """Random rows: twelve identities of four rows, a gender and an ethnicity with nulls."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)).astype(np.float32)
    gender = rng.choice(["f", "m"], n).astype(object)
    ethnicity = rng.choice(["1", "2", "3"], n).astype(object)
    gender[::5] = None
    gender[1], ethnicity[2:9] = None, None
    return X, np.arange(n) // 4, {"gender": gender, "ethnicity": ethnicity}


@pytest.mark.parametrize("method", METHODS)
class TestContract:
    def fit(self, method, **parameters):
        X, y, sensitive = noise()
        return method(**TINY | parameters).fit(X, y, sensitive=sensitive)

    def test_the_curve_tells_of_each_epoch(self, method):
        curve = self.fit(method, warm_up=2).model_.curve
        assert [(r["epoch"], r["warm_up"]) for r in curve] == [
            (1, True),
            (2, True),
            (3, False),
            (4, False),
        ]
        for record in curve:
            assert set(record["heads"]) == {"gender", "ethnicity"}
            assert all(0 <= read <= 1 for read in record["heads"].values())
            assert (record["loss"] == record["primary"]) == record["warm_up"]

    def test_rows_have_unit_length_if_asked(self, method):
        X = 7 * noise()[0]
        unit = self.fit(method, n_units=9, n_hidden=0).transform(X)
        np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, rtol=1e-5)
        assert unit.shape == (48, 9)
        free = self.fit(method, normalise=False).transform(X)
        assert np.ptp(np.linalg.norm(free, axis=1)) > 0.5

    def test_rows_without_any_label_change_nothing(self, method):
        X, y, sensitive = noise()
        known = np.array([g is not None for g in sensitive["gender"]])
        maps = [
            method(**TINY).fit(X, y, detector=(rows, {"gender": values})).transform(X)
            for rows, values in (
                (X[known], sensitive["gender"][known]),
                (X, sensitive["gender"]),
            )
        ]
        np.testing.assert_array_equal(*maps)

    def test_classes_can_be_kept_instead_of_identities(self, method):
        X, y, sensitive = noise()
        eraser = method(loss="cross_entropy", warm_up=8, **TINY)
        curve = eraser.fit(X, y % 3, sensitive=sensitive).model_.curve
        assert curve[7]["primary"] < curve[0]["primary"] - 0.004

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"loss": "bce"}, "loss: expected one of 'triplet', 'cross_entropy'; found 'bce'"),
            ({"margin": 0}, "margin: expected a number above 0"),
            ({"n_units": 0}, "n_units: expected an integer of at least 1"),
            ({"n_hidden": -1}, "n_hidden: expected an integer of at least 0"),
            ({"n_head_units": 1.5}, "n_head_units: expected an integer"),
            ({"n_epochs": 0}, "n_epochs: expected an integer of at least 1"),
            ({"warm_up": -1}, "warm_up: expected an integer of at least 0"),
            ({"batch_size": 3}, "batch_size: expected an integer of at least 4"),
            ({"learning_rate": 0.0}, "learning_rate: expected a number above 0"),
            ({"adversarial_weight": -1}, "adversarial_weight: expected a number at least 0"),
        ],
    )
    def test_parameters_are_checked(self, method, parameters, message):
        with pytest.raises(InputError, match=message):
            self.fit(method, **parameters)


@pytest.mark.parametrize(
    ("method", "parameters", "message"),
    [
        (LearningNotToLearn, {"reversal_weight": -1}, "reversal_weight: expected a number"),
        (LearningNotToLearn, {"optimiser": "rmsprop"}, "optimiser: expected one of"),
        (LearningNotToLearn, {"n_head_steps": 0}, "n_head_steps: expected an integer"),
        (BlindEye, {"n_head_steps": 0}, "n_head_steps: expected an integer"),
        (GradientReversal, {"n_head_steps": 0}, "n_head_steps: expected an integer"),
        (GradientReversal, {"schedule": "cosine"}, "schedule: expected one of 'ramp', 'constant'"),
        (LAFTR, {"n_head_steps": 0}, "n_head_steps: expected an integer"),
        (LAFTR, {"head_loss": "l2"}, "head_loss: expected one of 'cross_entropy', 'l1'"),
        (LAFTR, {"reconstruction_weight": -1}, "reconstruction_weight: expected a number"),
        (LAFTR, {"primary_weight": -1}, "primary_weight: expected a number"),
        (AdversarialDebiasing, {"n_head_steps": 0}, "n_head_steps: expected an integer"),
        (PASS, {"n_discriminators": 0}, "n_discriminators: expected an integer"),
        (PASS, {"encoder_steps": 0}, "encoder_steps: expected an integer"),
        (PASS, {"discriminator_steps": 0}, "discriminator_steps: expected an integer"),
        (PASS, {"restart_interval": 0}, "restart_interval: expected an integer"),
        (PASS, {"stop_accuracy": 1.1}, "stop_accuracy: expected a number above 0 and at most 1"),
        (PASS, {"head_learning_rate": 0}, "head_learning_rate: expected a number above 0"),
    ],
)
def test_a_methods_own_parameters_are_checked(method, parameters, message):
    with pytest.raises(InputError, match=message):
        method(**parameters).fit(*noise()[:2], sensitive=noise()[2])


def test_laftr_needs_no_y():
    X, _, sensitive = noise()
    curve = LAFTR(**TINY | {"n_epochs": 30}).fit(X, sensitive=sensitive).model_.curve
    assert curve[-1]["primary"] < 0.9 * curve[0]["primary"]


def test_collapse_is_told():
    X, y, sensitive = noise()
    eraser = BlindEye(**TINY | {"adversarial_weight": 1e6, "n_epochs": 30, "learning_rate": 0.1})
    with pytest.warns(CollapseWarning, match="smaller adversarial weight"):
        eraser.fit(X, y, sensitive=sensitive)


def test_a_missing_torch_is_told(monkeypatch):
    X, y, sensitive = noise()
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"pip install 'sensitivenets\[train\]'"):
        BlindEye().fit(X, y, sensitive=sensitive)
