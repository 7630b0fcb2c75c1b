"""What every eraser keeps to: one suite over all methods that can be asked for by name."""

import inspect
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import _num_samples

from sensitivenets.benchmark.methods import METHODS
from sensitivenets.errors import DetectorWarning, InputError
from sensitivenets.maps.model_folder import load_model, save_model
from sensitivenets.tradeoff import Candidate

ADVERSARIAL = {"n_hidden": 16, "n_head_units": 4, "batch_size": 32, "n_epochs": 1}
DEPENDENCE = {"n_hidden": 16, "n_epochs": 2, "batch_size": 32}
# Unit rows are at most 2 apart, so a margin of 5 makes every triplet of the tiny data sets valid.
PHI = {"margin": 5.0, "n_layers": 2, "n_units": 8, "n_epochs": 1, "n_triplets": 200}

# Parameters that make a fit quick.
SMALL = {
    "none": {},
    "random_projection": {"n_components": 1},
    "sensitivenet": PHI,
    "routed_transport": {"n_rounds": 1},
    "coded_transport": {"n_rounds": 1, "n_bits": 16},
    "budgeted_transport": {"candidates": [Candidate(1)], "n_pairs": 20},
    "public_code": {"n_bits": 16},
    "leace": {},
    "splince": {},
    "sal": {},
    "inlp": {"n_iterations": 5},
    "rlace": {"n_steps": 2},
    "ive": {"n_trees": 3},
    "multi_ive": {"n_trees": 3},
    "obliviator": {**DEPENDENCE, "n_iterations": 1, "n_fourier": 20},
    "pfrnet": {**DEPENDENCE, "n_dependent": 2},
    "farm": DEPENDENCE,
    "kram": DEPENDENCE,
    "data_domain": {**DEPENDENCE, "n_fourier": 20},
    "gradient_reversal": ADVERSARIAL,
    "blind_eye": ADVERSARIAL,
    "lnl": ADVERSARIAL,
    "laftr": ADVERSARIAL,
    "adversarial_debiasing": ADVERSARIAL,
    "pass": {**ADVERSARIAL, "encoder_steps": 2, "discriminator_steps": 2, "n_discriminators": 2},
    "identity_span": {},
    "identity_transport": {"n_groups": 2, "n_rounds": 1},
    "vgan": ADVERSARIAL,
}
# They know nothing of attributes, or have a use without them.
WITHOUT_ATTRIBUTES = {"none", "random_projection", "public_code", "sensitivenet"}
# After these no linear classifier tells the classes of the rows they were fitted on.
LINEAR = {"leace", "splince", "sal", "inlp", "rlace"}
# The seed decides nothing, or only which rows are held out to choose something by.
DETERMINED = {
    "none",
    "leace",
    "splince",
    "identity_span",
    "sal",
    "inlp",
    "rlace",
    "routed_transport",
}

# The others are the same estimators, adapted after the fit.
FITTED = [name for name, method in METHODS.items() if not method.adapts]
each = pytest.mark.parametrize("name", FITTED)
pytestmark = pytest.mark.filterwarnings(
    "ignore::sensitivenets.errors.DetectorWarning",
    "ignore::sensitivenets.errors.CollapseWarning",
    "ignore::sensitivenets.errors.BudgetWarning",
    # A held-out fifth of so few rows may lack a class.
    "ignore:y_pred contains classes not in y_true:UserWarning",
    "ignore:A single label was found in 'y_true':UserWarning",
)


class Rows:
    """Eighty identities of four rows; a gender moves one feature, a task another."""

    def __init__(self):
        rng = np.random.default_rng(0)
        person = np.repeat(np.arange(80), 4)
        X = rng.standard_normal((80, 12))[person] + 0.3 * rng.standard_normal((320, 12))
        self.gender = np.array(["f", "m"], dtype=object)[person % 2]
        self.task = np.array(["no", "yes"])[(X[:, 5] > 0).astype(int)]
        X[:, 0] += 3 * (self.gender == "m")
        self.X, self.person = X.astype(np.float32), person
        self.attributes = {"gender": self.gender}

    def target(self, name):
        return self.task if METHODS[name].keeps_task else self.person


ROWS = Rows()


def make(name, **parameters):
    return METHODS[name].load()(**{"random_state": 0} | SMALL[name] | parameters)


def fit(name, **parameters):
    return make(name, **parameters).fit(ROWS.X, ROWS.target(name), sensitive=ROWS.attributes)


@pytest.fixture(scope="module")
def fitted():
    """Each method, fitted once."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = fit(name)
        return made[name]

    return get


def test_every_method_is_here():
    assert set(SMALL) == set(FITTED)


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_type_of_the_rows_is_kept(name, dtype, fitted):
    found = fitted(name).transform(ROWS.X[:7].astype(dtype))
    assert found.dtype == dtype
    assert found.shape == (7, fitted(name).model_.map.n_features_out)
    assert len(fitted(name).get_feature_names_out()) == found.shape[1]


@each
def test_one_seed_gives_the_same_bits_and_the_input_is_not_changed_and_may_be_read_only(
    name, fitted
):
    X = ROWS.X.copy()
    X.flags.writeable = False
    again = make(name).fit(X, ROWS.target(name), sensitive=ROWS.attributes)
    np.testing.assert_array_equal(again.transform(X), fitted(name).transform(ROWS.X))
    assert again.model_.curve == fitted(name).model_.curve
    np.testing.assert_array_equal(X, ROWS.X)


@pytest.mark.parametrize("name", sorted(set(FITTED) - DETERMINED - {"budgeted_transport"}))
def test_another_seed_gives_others(name, fitted):
    other, one = fit(name, random_state=1).transform(ROWS.X), fitted(name).transform(ROWS.X)
    assert other.shape != one.shape or not np.array_equal(other, one)


@each
def test_a_clone_has_the_parameters_and_not_the_map(name, fitted):
    copy = clone(fitted(name))
    assert repr(copy.get_params()) == repr(fitted(name).get_params())
    assert not hasattr(copy, "model_")
    assert copy.set_params(random_state=7).random_state == 7


@each
def test_pickle_keeps_the_map(name, fitted):
    copy = pickle.loads(pickle.dumps(fitted(name)))
    np.testing.assert_array_equal(copy.transform(ROWS.X), fitted(name).transform(ROWS.X))


@each
def test_a_model_folder_keeps_the_map_and_its_record(name, fitted, tmp_path):
    model = fitted(name).model_
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.map(ROWS.X), fitted(name).transform(ROWS.X))
    assert loaded.method == type(fitted(name)).__name__
    assert loaded.removed == {"gender": ("f", "m")}
    assert loaded.fingerprint["primary"]["rows"] == len(ROWS.X)
    assert set(loaded.parameters) == set(fitted(name).get_params())


@each
def test_the_docstring_describes_every_parameter_with_its_default(name):
    method = METHODS[name].load()
    section = inspect.getdoc(method).partition("Parameters\n----------\n")[2].partition("\n\n")[0]
    described = {}
    for line in section.splitlines():
        if not line.startswith(" "):
            names, _, kind = line.partition(" : ")
            for parameter in names.split(", "):
                assert parameter not in described
                described[parameter] = kind
    signature = inspect.signature(method).parameters
    assert set(described) == set(signature)
    for parameter, kind in described.items():
        default = signature[parameter].default
        given = [value.strip('"') for value in kind.partition("default=")[2].split(", ")]
        if given == [""]:
            assert default is None, parameter
            assert "optional" in kind, parameter
        else:
            assert repr(default).strip("'") in {_plain(value) for value in given}, parameter


def _plain(value):
    """Write a default as Python does: 100_000, 1e-3 and 2**30 are numbers."""
    try:
        return repr(eval(value, {"__builtins__": {}}))
    except NameError:
        return value


@each
def test_what_to_pass_is_said_where_no_attribute_is_given(name):
    if name in WITHOUT_ATTRIBUTES:
        make(name).fit(ROWS.X, ROWS.target(name))
        return
    with pytest.raises(InputError, match=r"expects the attributes to remove, found none; pass sen"):
        make(name).fit(ROWS.X, ROWS.target(name))


def test_sensitivenet_without_attributes_warns_in_its_own_words():
    with pytest.warns(DetectorWarning, match="phi is trained for the primary task alone"):
        make("sensitivenet").fit(ROWS.X, ROWS.person)


@each
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sensitive": {}}, "expected at least one sensitive attribute, found none"),
        ({"sensitive": {"gender": ["f", "m"]}}, "attribute 'gender': expected one label for each"),
        ({"sensitive": {"gender": ["f"] * 320}}, "expected at least two classes"),
        ({"sensitive": ROWS.gender, "detector": (ROWS.X, ROWS.gender)}, "found both; give one"),
        ({"detector": (ROWS.X[:, :3], ROWS.gender)}, "detector: expected 12 features as in X"),
    ],
)
def test_attributes_that_cannot_be_used_are_refused(name, arguments, message):
    with pytest.raises(InputError, match=message):
        make(name).fit(ROWS.X, ROWS.target(name), **arguments)


@each
def test_a_target_of_another_length_is_refused(name):
    with pytest.raises(InputError, match="y: expected one label for each of 320 rows, found 3"):
        make(name).fit(ROWS.X, ["a", "b", "b"], sensitive=ROWS.attributes)


@each
def test_who_needs_a_target_says_so(name):
    needs = make(name).__sklearn_tags__().target_tags.required or name == "budgeted_transport"
    if not needs:
        make(name).fit(ROWS.X, sensitive=ROWS.attributes)
        return
    with pytest.raises(InputError, match="requires y to be passed, but the target y is None"):
        make(name).fit(ROWS.X, sensitive=ROWS.attributes)


@each
def test_attributes_may_come_with_rows_of_their_own(name):
    gender = ROWS.gender.copy()
    gender[::9] = None
    eraser = make(name).fit(ROWS.X[:160], ROWS.target(name)[:160], detector=(ROWS.X, gender))
    assert len(eraser.transform(ROWS.X[:5])) == 5
    assert eraser.model_.fingerprint["detector"]["rows"] == 320


@pytest.mark.parametrize("name", sorted(LINEAR))
def test_a_linear_reader_finds_nothing(name, fitted):
    def best_log_loss(X):
        reader = LogisticRegression(max_iter=1000).fit(X, ROWS.gender)
        return log_loss(ROWS.gender, reader.predict_proba(X))

    assert best_log_loss(ROWS.X) < 0.3
    assert best_log_loss(fitted(name).transform(ROWS.X)) > 0.95 * np.log(2)


class Labelled:
    """Gives the checks of scikit-learn, which know nothing of attributes, one to remove."""

    def fit(self, X, y=None, *, sensitive=None, detector=None):
        if sensitive is None and detector is None:
            sensitive = np.arange(_num_samples(X)) % 2
        return super().fit(X, y, sensitive=sensitive, detector=detector)


class LabelledBatches(Labelled):
    """The same, batch by batch."""

    def partial_fit(self, X, y=None, *, sensitive=None):
        if sensitive is None:
            sensitive = np.arange(_num_samples(X)) % 2
        return super().partial_fit(X, y, sensitive=sensitive)


def labelled(name):
    """Derive a class that is given an attribute, and keep it where pickle finds it."""
    method = METHODS[name].load()
    mixin = LabelledBatches if hasattr(method, "partial_fit") else Labelled
    made = type(method.__name__, (mixin, method), {"__module__": __name__})
    globals()[method.__name__] = made
    return made(**{"random_state": 0} | SMALL[name])


ONE_FEATURE = {"check_fit2d_1feature": "its only feature cannot be left out"}
MANY_CLASSES = "y has as many classes as there are features: none is free to be removed"
EXPECTED_FAILURES = {
    "SensitiveNet": {"check_estimators_dtypes": "casts its data to integers: a row becomes zero"},
    "IVE": ONE_FEATURE,
    "MultiIVE": ONE_FEATURE,
    "SPLINCE": {
        "check_fit2d_1feature": "its only feature cannot be both removed and kept",
        **dict.fromkeys(
            (
                "check_estimators_overwrite_params",
                "check_estimators_fit_returns_self",
                "check_readonly_memmap_input",
                "check_estimators_dtypes",
            ),
            MANY_CLASSES,
        ),
    },
}


# BudgetedTransport attacks people that it holds out: the few rows of the checks are too few.
@parametrize_with_checks(
    [labelled(name) for name in FITTED if name != "budgeted_transport"],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES.get(type(estimator).__name__, {}),
)
def test_scikit_learn_contract(estimator, check, monkeypatch):
    # The checks have some twenty rows in all.
    monkeypatch.setattr("sensitivenets.erasers.transport.steps._MIN_ROWS", 2)
    check(estimator)
