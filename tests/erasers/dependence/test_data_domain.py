import numpy as np
import pytest
import torch
from sklearn.svm import SVC

from sensitivenets.erasers.dependence.data_domain import DataDomain
from sensitivenets.erasers.dependence.decomposition import hsic, identity_encoder
from sensitivenets.erasers.dependence.measures import class_covariance
from sensitivenets.erasers.neural.training_rows import ClassCodes
from sensitivenets.errors import InputError
from sensitivenets.maps.model_folder import load_model, save_model

TINY = {
    "n_fourier": 30,
    "n_hidden": 16,
    "n_epochs": 2,
    "batch_size": 32,
    "random_state": 0,
}


def read(Z, codes):
    return SVC(C=10).fit(Z[:300], codes[:300]).score(Z[300:], codes[300:])


@pytest.fixture(scope="module")
def fitted(xor_rows):
    X, gender, task = xor_rows
    eraser = DataDomain(
        hsic_weight=100.0,
        n_fourier=200,
        n_hidden=128,
        n_epochs=200,
        batch_size=600,
        learning_rate=1e-2,
        random_state=0,
    )
    return X, gender, task, eraser.fit(X[:600], sensitive={"gender": gender[:600]})


def test_a_kernel_machine_reads_less_on_new_rows_and_the_task_stays(fitted):
    X, gender, task, eraser = fitted
    fair = eraser.transform(X[600:])
    assert read(X[600:], gender[600:]) > 0.95
    assert read(fair, gender[600:]) < 0.7
    assert read(fair, task[600:]) > 0.8


def test_the_residual_is_what_depends_on_the_attribute(fitted):
    curve = fitted[-1].model_.curve
    assert curve[-1]["dependence"] < 0.1 * curve[0]["dependence"]
    assert curve[-1]["residual_dependence"] > 0.1


def test_without_a_weight_the_embedding_itself_is_fair(noise):
    X, _, sensitive = noise
    eraser = DataDomain(hsic_weight=0.0, learning_rate=1e-6, **TINY)
    fair = eraser.fit_transform(X, sensitive=sensitive)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    np.testing.assert_allclose(fair, unit, atol=1e-4)
    assert eraser.model_.curve[0]["dependence"] == pytest.approx(1, abs=1e-3)
    assert eraser.model_.curve[0]["residual"] < 1e-6


@pytest.mark.parametrize("loss", ["triplet", "cross_entropy"])
def test_the_identity_can_be_kept(loss, noise):
    X, y, sensitive = noise
    parameters = TINY | {"n_epochs": 30, "hsic_weight": 0.0}
    curve = DataDomain(loss=loss, **parameters).fit(X, y, sensitive=sensitive).model_.curve
    assert curve[-1]["primary"] < 0.95 * curve[0]["primary"]
    without = DataDomain(loss=loss, **parameters).fit(X, sensitive=sensitive).model_.curve
    assert not any(record["primary"] for record in without)


def test_training_starts_from_the_embeddings_as_they_are():
    encoder = identity_encoder(5, 13, torch.Generator().manual_seed(0))
    X = torch.randn(20, 5, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(encoder(X), torch.nn.functional.normalize(X, dim=1))
    narrow = identity_encoder(5, 4, torch.Generator().manual_seed(0))
    first, second = (w.detach() for w in narrow.weights)
    projection = first @ second / 2
    torch.testing.assert_close(projection @ projection, projection)
    torch.testing.assert_close(projection, projection.T)


def test_attributes_add_up():
    f = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    a, b = (ClassCodes(torch.arange(20) % k, k) for k in (2, 3))
    alone = [float(class_covariance(f, c.codes, c.n_classes).square().sum()) for c in (a, b)]
    assert float(hsic(f, [a, b])) == pytest.approx(sum(alone))


def test_a_saved_map_is_the_map_of_unit_rows(noise, tmp_path):
    X, y, sensitive = noise
    model = DataDomain(**TINY).fit(X, y, sensitive=sensitive).model_
    save_model(model, tmp_path / "model")
    fair = load_model(tmp_path / "model").map(X)
    np.testing.assert_array_equal(fair, model.map(X))
    np.testing.assert_allclose(np.linalg.norm(fair, axis=1), 1, rtol=1e-5)


def test_attributes_may_come_with_rows_of_their_own(noise):
    X, y, sensitive = noise
    eraser = DataDomain(**TINY).fit(X[:50], y[:50], detector=(X, sensitive))
    assert eraser.transform(X).shape == X.shape


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hsic_weight": -1}, "hsic_weight: expected a number at least 0"),
        ({"residual_weight": -1}, "residual_weight: expected a number at least 0"),
        ({"primary_weight": -1}, "primary_weight: expected a number at least 0"),
        ({"loss": "bce"}, "loss: expected one of 'triplet', 'cross_entropy'; found 'bce'"),
        ({"margin": 0}, "margin: expected a number above 0"),
        ({"n_fourier": 0}, "n_fourier: expected an integer of at least 1"),
        ({"n_hidden": 0}, "n_hidden: expected an integer of at least 1"),
        ({"n_epochs": 1.5}, "n_epochs: expected an integer"),
        ({"batch_size": 3}, "batch_size: expected an integer of at least 4"),
        ({"learning_rate": 0}, "learning_rate: expected a number above 0"),
    ],
)
def test_parameters_are_checked(noise, parameters, message):
    with pytest.raises(InputError, match=message):
        DataDomain(**parameters).fit(noise[0], sensitive=noise[2])
