"""A fitted estimator adapts to other people as scikit-learn's users expect: a fitted copy."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from sensitivenets.datasets import synthetic_diveface
from sensitivenets.embeddings.fingerprint import fingerprint
from sensitivenets.erasers.transport.adapt import adapt
from sensitivenets.erasers.transport.coded_transport import CodedTransport
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.errors import DataWarning, InputError
from sensitivenets.tradeoff.budgeted_transport import BudgetedTransport
from sensitivenets.tradeoff.candidates import Candidate

FACES = synthetic_diveface(n_subjects=600, images_per_subject=3, dim=32, random_state=0)
KNOWN, MINE = FACES.where("split", "fit"), FACES.where("split", "attack_train")
ERASERS = [
    RoutedTransport(n_rounds=1, random_state=0),
    CodedTransport(n_rounds=1, n_bits=64, random_state=0),
    BudgetedTransport(0.5, candidates=[Candidate(1)], random_state=0),
]


@pytest.fixture(scope="module", params=ERASERS, ids=lambda eraser: type(eraser).__name__)
def fitted(request):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return request.param.fit(
            KNOWN.vectors, KNOWN.column("subject"), sensitive={"gender": KNOWN.column("gender")}
        )


def test_a_derived_estimator_is_fitted_and_the_parent_stays(fitted):
    before = fitted.transform(MINE.vectors)
    derived = fitted.adapt(MINE.vectors, MINE.column("subject"))
    assert type(derived) is type(fitted)
    assert derived.get_params() == fitted.get_params()
    assert not np.allclose(derived.transform(MINE.vectors), before, atol=1e-3)
    np.testing.assert_array_equal(fitted.transform(MINE.vectors), before)
    expected = adapt(fitted, MINE.vectors, subjects=MINE.labels("subject").codes)
    np.testing.assert_array_equal(derived.transform(MINE.vectors), expected.map(MINE.vectors))


def test_it_records_the_table_and_how_it_was_adapted(fitted):
    record = fitted.adapt(MINE.vectors).model_
    assert record.fingerprint["adapted"] == fingerprint(MINE.vectors)
    assert sum(record.curve[0]["adapted"]["rows"]) == len(MINE)
    assert record.removed == fitted.model_.removed


def test_it_is_adapted_once(fitted):
    with pytest.raises(InputError, match="adapt the model that it was made from again"):
        fitted.adapt(MINE.vectors).adapt(MINE.vectors)


def test_doubts_are_warnings():
    X = np.random.default_rng(0).normal(size=(900, 32)).astype(np.float32)
    eraser = ERASERS[0].fit(KNOWN.vectors, sensitive={"gender": KNOWN.column("gender")})
    foreign = X / np.linalg.norm(X, axis=1, keepdims=True) * np.geomspace(0.1, 3, 32)
    with (
        pytest.warns(DataWarning, match="unlike the reference"),
        pytest.warns(DataWarning, match="fell back"),
    ):
        eraser.adapt(foreign)


def test_what_is_not_fitted_is_not_adapted():
    with pytest.raises(NotFittedError):
        RoutedTransport().adapt(MINE.vectors)
