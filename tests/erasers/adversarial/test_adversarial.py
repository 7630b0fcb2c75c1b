"""The adversarial erasers: each hides from a fresh reader what the encoder alone lets through."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import balanced_accuracy_score
from sklearn.neural_network import MLPClassifier

from sensitivenets.datasets.synthetic import synthetic_diveface
from sensitivenets.erasers.adversarial.adversarial_debiasing import AdversarialDebiasing
from sensitivenets.erasers.adversarial.blind_eye import BlindEye
from sensitivenets.erasers.adversarial.gradient_reversal import GradientReversal
from sensitivenets.erasers.adversarial.laftr import LAFTR
from sensitivenets.erasers.adversarial.learning_not_to_learn import LearningNotToLearn
from sensitivenets.erasers.adversarial.pass_ensemble import PASS

SMALL = {"n_hidden": 64, "n_head_units": 16, "batch_size": 128, "n_epochs": 25, "random_state": 0}


class Faces:
    """Synthetic faces; a third of the people is kept from every fit."""

    def __init__(self):
        table = synthetic_diveface(360, 3, dim=32)
        subject = table.labels("subject").codes
        held_out = subject // 6 % 3 == 0
        self.X, self.held_out_X = table.vectors[~held_out], table.vectors[held_out]
        self.subject = subject[~held_out]
        self.attributes, self.held_out = (
            {name: table.labels(name).codes[rows] for name in ("gender", "ethnicity")}
            for rows in (~held_out, held_out)
        )

    def fit(self, eraser, *names):
        names = names or ("gender",)
        return eraser.fit(
            self.X, self.subject, sensitive={name: self.attributes[name] for name in names}
        )

    def read(self, eraser, name="gender"):
        """Balanced accuracy of a fresh network of the heads' size on the held-out people."""
        fitted, others = (
            np.sqrt(32) * eraser.transform(rows) for rows in (self.X, self.held_out_X)
        )
        head = MLPClassifier((16,), max_iter=60, random_state=0)
        head.fit(fitted, self.attributes[name])
        return balanced_accuracy_score(self.held_out[name], head.predict(others))


@pytest.fixture(scope="module")
def faces():
    return Faces()


# A head that is still learning reads nearly all that it ever will.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def unprotected(faces):
    """What a fresh head reads where the encoder was trained for identity alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return faces.read(faces.fit(GradientReversal(adversarial_weight=0.0, **SMALL)))


@pytest.mark.parametrize(
    "eraser",
    [
        LearningNotToLearn(reversal_weight=1.0, n_head_steps=5, **SMALL),
        BlindEye(adversarial_weight=1.0, **SMALL),
        GradientReversal(**SMALL),
        LAFTR(**SMALL),
        AdversarialDebiasing(**SMALL),
        PASS(
            n_discriminators=2,
            encoder_steps=1,
            discriminator_steps=10,
            restart_interval=150,
            **SMALL | {"n_epochs": 40},
        ),
    ],
    ids=lambda eraser: type(eraser).__name__,
)
def test_a_fresh_head_reads_less_than_without_the_adversary(faces, unprotected, eraser):
    assert unprotected > 0.76
    assert faces.read(faces.fit(eraser)) < unprotected - 0.06
