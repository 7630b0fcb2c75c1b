"""SensitiveNet: what it removes, what it does not, and what it says about itself."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline

from sensitivenets.errors import CollapseWarning, DetectorWarning, InputError
from sensitivenets.sensitivenet.estimator import SensitiveNet

SMALL = {
    "n_layers": 3,
    "n_units": 32,
    "n_epochs": 8,
    "n_triplets": 4000,
    "batch_size": 64,
    "learning_rate": 3e-3,
    "adversarial_weight": 1.0,
    "detector_interval": 2,
    "target": 0.9,
    "random_state": 0,
}


def faces(n_subjects=300, images=4, d=16, seed=0, signal=1.5):
    """Identities with a gender on one axis and a smile, per image, on another."""
    rng = np.random.default_rng(seed)
    gender = rng.integers(0, 2, n_subjects)
    identity = rng.standard_normal((n_subjects, d))
    identity[:, 0] += signal * (2 * gender - 1)
    smile = rng.integers(0, 2, (n_subjects, images))
    X = identity[:, None] + 0.4 * rng.standard_normal((n_subjects, images, d))
    X[:, :, 1] += 3.0 * smile
    return {
        "X": X.reshape(-1, d).astype(np.float32),
        "subject": np.repeat(np.arange(n_subjects), images),
        "gender": np.array(["Female", "Male"])[np.repeat(gender, images)],
        "smile": smile.reshape(-1),
    }


def small(**parameters):
    return SensitiveNet(**(SMALL | parameters))


def read(attacker, phi, labels, data):
    """Balanced accuracy on unseen subjects of an attacker fitted on phi(x)."""
    train = data["subject"] < 150
    attacker.fit(phi[train], labels[train])
    return balanced_accuracy_score(labels[~train], attacker.predict(phi[~train]))


@pytest.fixture(scope="module")
def data():
    return faces()


@pytest.fixture(scope="module")
def fitted(data):
    net = small()
    return net.fit(data["X"], data["subject"], sensitive={"gender": data["gender"]})


@pytest.fixture(scope="module")
def brief(data):
    """One epoch a layer: for what is equal or not, whatever is learned."""
    net = small(n_epochs=1)
    return net.fit(data["X"], data["subject"], sensitive={"gender": data["gender"]})


def test_a_linear_attacker_read_the_attribute_before_and_barely_can_after(data, fitted):
    before = read(LogisticRegression(), data["X"], data["gender"], data)
    after = read(LogisticRegression(), fitted.transform(data["X"]), data["gender"], data)
    assert before > 0.85
    assert after < before - 0.3


def test_an_attacker_who_whitens_undoes_much_of_a_linear_phi(data, fitted):
    """The limit of the paper's method: an invertible phi hides nothing from whitening."""
    whitening = make_pipeline(PCA(16, whiten=True), LogisticRegression())
    phi = fitted.transform(data["X"])
    naive = read(LogisticRegression(), phi, data["gender"], data)
    assert read(whitening, phi, data["gender"], data) > naive + 0.3


def test_identities_stay_apart(data, fitted):
    phi = fitted.transform(data["X"])
    genuine = np.sum(phi[0::4] * phi[1::4], axis=1)
    impostor = np.sum(phi[0::4] * np.roll(phi[1::4], 1, axis=0), axis=1)
    assert np.mean(genuine[:, None] > impostor[None, :]) > 0.9


@pytest.mark.parametrize("loss", ["bce", "cross_entropy"])
def test_a_classification_task_is_kept_while_the_attribute_goes(data, loss):
    net = small(loss=loss, n_epochs=20, learning_rate=1e-2)
    net.fit(data["X"], data["smile"], sensitive={"gender": data["gender"]})
    phi = net.transform(data["X"])
    assert read(LogisticRegression(), phi, data["smile"], data) > 0.85
    before = read(LogisticRegression(), data["X"], data["gender"], data)
    assert read(LogisticRegression(), phi, data["gender"], data) < before - 0.1


def test_one_random_state_gives_the_same_bits(data, brief):
    again = small(n_epochs=1)
    again.fit(data["X"], data["subject"], sensitive={"gender": data["gender"]})
    np.testing.assert_array_equal(again.model_.map.weight, brief.model_.map.weight)
    assert again.model_.curve == brief.model_.curve
    other = small(random_state=1, n_epochs=1)
    other.fit(data["X"], data["subject"], sensitive={"gender": data["gender"]})
    assert not np.array_equal(other.model_.map.weight, brief.model_.map.weight)


def test_scale_and_names_of_the_input_do_not_matter(data, brief):
    net = small(n_epochs=1)
    names = np.array([f"person {s:03}" for s in data["subject"]])
    net.fit(8 * data["X"], names, sensitive={"gender": data["gender"]})
    np.testing.assert_array_equal(net.model_.map.weight, brief.model_.map.weight)


def test_the_target_at_chance_is_one_over_the_classes_and_the_target_class_may_be_chosen(data):
    def weight(**parameters):
        net = small(n_epochs=1, n_layers=1, **parameters)
        net.fit(data["X"], data["subject"], sensitive={"gender": data["gender"]})
        return net.model_.map.weight

    np.testing.assert_array_equal(weight(target="chance"), weight(target=0.5))
    first = weight(target_classes={"gender": "Female"})
    np.testing.assert_array_equal(weight(), first)
    assert not np.array_equal(weight(target_classes={"gender": "Male"}), first)


@pytest.mark.parametrize(("loss", "epochs"), [("triplet", 2), ("bce", 100)])
def test_epochs_depend_on_the_loss_unless_given(data, loss, epochs):
    net = small(loss=loss, n_epochs=None, n_layers=1, batch_size=1200, detector_interval=100)
    y = data["subject"] if loss == "triplet" else data["smile"]
    net.fit(data["X"], y, sensitive={"gender": data["gender"]})
    assert len(net.model_.curve) == epochs


def test_a_second_data_set_may_carry_the_attributes(data):
    other = faces(seed=1)
    net = small(n_epochs=1).fit(
        data["X"], data["subject"], detector=(other["X"], {"gender": other["gender"]})
    )
    assert net.model_.removed == {"gender": ("Female", "Male")}
    assert net.model_.fingerprint["detector"] != net.model_.fingerprint["primary"]


def test_the_model_records_triplets_and_curve(data, fitted):
    triplets = fitted.model_.fingerprint["triplets"]
    assert triplets["used"] == 4000 < triplets["found"]
    assert len(fitted.model_.curve) == 24
    assert set(fitted.model_.curve[0]) >= {"loss", "primary", "regulariser", "detectors"}
    assert fitted.model_.curve[-1]["detectors"]["gender"] < 0.7


def test_unlabelled_rows_take_part_where_they_can(data):
    gender = data["gender"].astype(object)
    gender[::3] = None
    subject = data["subject"].astype(object)
    subject[1::7] = None
    small(n_epochs=1).fit(data["X"], subject, sensitive={"gender": gender})


def test_verbose_reports_on_stderr_only(data, capsys):
    small(n_epochs=1, verbose=True).fit(
        data["X"], data["subject"], sensitive={"gender": data["gender"]}
    )
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Training" in captured.err


def test_warns_of_a_detector_that_never_learned(data):
    noise = np.random.default_rng(0).integers(0, 2, len(data["X"]))
    with pytest.warns(DetectorWarning, match="'noise' never learned it: balanced accuracy"):
        small(n_epochs=1).fit(data["X"], data["subject"], sensitive={"noise": noise})


def test_warns_when_there_is_nothing_to_remove(data):
    with pytest.warns(DetectorWarning, match="no sensitive attribute given"):
        small(n_epochs=1).fit(data["X"], data["subject"])


def test_warns_of_collapse(data):
    net = small(n_units=1, n_epochs=1, n_layers=1)
    with pytest.warns(CollapseWarning, match="the output has collapsed: effective rank"):
        net.fit(data["X"], data["subject"], sensitive={"gender": data["gender"]})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"loss": "hinge"}, "loss: expected one of 'triplet', 'bce', 'cross_entropy'"),
        ({"n_layers": 0}, "n_layers: expected an integer of at least 1; found 0"),
        ({"n_units": 2.5}, "n_units: expected an integer"),
        ({"learning_rate": 0}, "learning_rate: expected a number above 0; found 0"),
        ({"target": 1.5}, "target: expected a number at least 0 and at most 1; found 1.5"),
        ({"adversarial_weight": float("nan")}, "adversarial_weight: expected a number"),
        ({"memory_limit": 10}, "memory_limit: expected an integer of at least 1048576"),
        ({"target_classes": {"age": "old"}}, r"\['age'\] not among the attributes to remove"),
        ({"target_classes": {"gender": "x"}}, "expected one of 'Female', 'Male'; found 'x'"),
        ({"loss": "bce"}, "loss='bce': expected two classes in y, found 300"),
    ],
)
def test_refuses_parameters(data, parameters, message):
    with pytest.raises(InputError, match=message):
        small(**parameters).fit(data["X"], data["subject"], sensitive={"gender": data["gender"]})


def test_refuses_data(data):
    X, y, sensitive = data["X"], data["subject"], {"gender": data["gender"]}
    with pytest.raises(InputError, match="loss='triplet' expects the identity"):
        small().fit(X, sensitive=sensitive)
    with pytest.raises(InputError, match="one label for each of 1200 rows, found 10"):
        small().fit(X, y[:10], sensitive=sensitive)
    with pytest.raises(InputError, match="either sensitive= or detector=, found both"):
        small().fit(X, y, sensitive=sensitive, detector=(X, sensitive))
    with pytest.raises(InputError, match="detector: expected 16 features as in X, found 3"):
        small().fit(X, y, detector=(X[:, :3], sensitive))
    with pytest.raises(InputError, match="found only 'Male'"):
        small().fit(X, y, sensitive={"gender": ["Male"] * len(X)})
    with pytest.raises(InputError, match="row 5: zero vector"):
        small().fit(np.where(np.arange(1200)[:, None] == 5, 0, X), y, sensitive=sensitive)
    with pytest.raises(ValueError, match="contains NaN"):
        small().fit(np.where(np.arange(1200)[:, None] == 5, np.nan, X), y, sensitive=sensitive)
