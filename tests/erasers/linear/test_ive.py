import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from sensitivenets.erasers.linear.ive import IVE, MultiIVE
from sensitivenets.errors import InputError
from sensitivenets.maps.feature_selection import FeatureSelection


@pytest.fixture(scope="module")
def leaky():
    """Twelve noise features; gender is written into two, ethnicity (three classes) into one."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 12)).astype(np.float32)
    gender, ethnicity = rng.integers(2, size=300), rng.integers(3, size=300)
    X[:, 3] += 3 * gender
    X[:, 7] -= 2 * gender
    X[:, 10] += 4 * ethnicity
    return X, {"gender": gender, "ethnicity": ethnicity}


def rotation(n):
    return np.linalg.qr(np.random.default_rng(5).standard_normal((n, n)))[0].astype(np.float32)


def test_the_features_that_read_the_attributes_are_left_out(leaky):
    X, attributes = leaky
    ive = IVE(removed=0.25, n_steps=3, random_state=0).fit(X, sensitive=attributes)
    assert np.flatnonzero(~ive.model_.map.kept).tolist() == [3, 7, 10]
    np.testing.assert_array_equal(ive.transform(X), np.delete(X, [3, 7, 10], axis=1))
    assert [record["features"] for record in ive.model_.curve] == [11, 10, 9]


def test_forests_read_the_attributes_before_and_not_after(leaky):
    X, attributes = leaky
    ive = IVE(removed=0.25, n_steps=3, random_state=0)
    hidden = ive.fit(X[:150], sensitive={k: v[:150] for k, v in attributes.items()}).transform(X)
    for codes in attributes.values():
        before, after = (
            RandomForestClassifier(random_state=0)
            .fit(rows[:150], codes[:150])
            .score(rows[150:], codes[150:])
            for rows in (X, hidden)
        )
        assert before > 0.9
        assert after < 1 / len(np.unique(codes)) + 0.1


def test_one_step_is_the_ranking_of_one_forest(leaky):
    X, attributes = leaky
    gender = attributes["gender"]
    ive = IVE(removed=0.5, n_steps=1, random_state=3).fit(X, sensitive={"gender": gender})
    seed = int(np.random.RandomState(3).randint(2**31))
    forest = RandomForestClassifier(
        n_estimators=30, random_state=int(np.random.default_rng(seed).integers(2**31))
    ).fit(X, gender)
    six = set(np.argsort(forest.feature_importances_)[-6:].tolist())
    assert set(np.flatnonzero(~ive.model_.map.kept).tolist()) == six


def test_steps_differ_by_at_most_one_feature_and_one_feature_stays(leaky):
    X, attributes = leaky
    ive = IVE(removed=1.0, n_steps=4, n_trees=2, random_state=0).fit(X, sensitive=attributes)
    assert [record["features"] for record in ive.model_.curve] == [9, 6, 3, 1]
    assert ive.transform(X).shape == (300, 1)


def test_rows_without_a_label_are_left_out(leaky):
    X, attributes = leaky
    gender = attributes["gender"].astype(object)
    gender[200:] = None
    some = IVE(n_trees=5, random_state=0).fit(X, sensitive={"gender": gender})
    first = IVE(n_trees=5, random_state=0).fit(X[:200], sensitive={"gender": gender[:200]})
    np.testing.assert_array_equal(some.model_.map.kept, first.model_.map.kept)


def test_an_attribute_of_weight_zero_is_not_removed(leaky):
    X, attributes = leaky
    ive = IVE(removed=0.2, attribute_weights={"ethnicity": 0.0}, random_state=0)
    kept = ive.fit(X, sensitive=attributes).model_.map.kept
    assert kept[10]
    assert not kept[[3, 7]].any()


def test_multi_ive_finds_what_is_spread_over_all_features(leaky):
    X, attributes = leaky
    # The attribute's directions are principal components, and no single feature carries them.
    spread = X @ rotation(12)
    gender = {"gender": attributes["gender"]}
    hidden = MultiIVE(removed=0.3, random_state=0).fit_transform(spread, sensitive=gender)
    plain = IVE(removed=0.3, random_state=0).fit_transform(spread, sensitive=gender)
    read = [
        LogisticRegression()
        .fit(rows[:150], gender["gender"][:150])
        .score(rows[150:], gender["gender"][150:])
        for rows in (spread, plain, hidden)
    ]
    assert read[0] > 0.9
    assert read[1] > 0.75
    assert read[2] < 0.6


def test_multi_ive_keeps_distances_but_for_the_components_it_leaves_out(leaky):
    X, attributes = leaky
    multi = MultiIVE(removed=0.01, n_steps=1, n_protected=11, random_state=0)
    with pytest.raises(InputError, match=r"removed: 0\.01 of 12 features, of which 11"):
        multi.fit(X, sensitive=attributes)
    hidden = multi.set_params(removed=0.1).fit_transform(X, sensitive=attributes)
    centred = X - X.mean(axis=0)
    last = np.linalg.eigh(centred.T.astype(float) @ centred)[1][:, 0]
    rest = centred - np.outer(centred @ last, last)
    np.testing.assert_allclose(hidden @ hidden.T, rest @ rest.T, atol=1e-3)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"removed": 0.0}, "removed: expected a number above 0.0 and at most 1.0; found 0.0"),
        ({"removed": 0.01}, "removed: 0.01 of 12 features, of which 0 are protected, is none"),
        ({"n_steps": 0}, "n_steps: expected an integer of at least 1"),
        ({"n_trees": 2.5}, "n_trees: expected an integer"),
        ({"forest": "oak"}, "forest: expected one of 'random_forest', 'extra_trees'; found 'oak'"),
        ({"attribute_weights": {"age": 1.0}}, r"attribute_weights: \['age'\] not among"),
        ({"attribute_weights": {"gender": -1.0}}, r"attribute_weights\['gender'\]: expected"),
    ],
)
def test_parameters_are_checked(leaky, parameters, message):
    with pytest.raises(InputError, match=message):
        IVE(**parameters).fit(leaky[0], sensitive=leaky[1])


@pytest.mark.parametrize("kept", [[0.0, 0.0], [1.0, 0.5], [[1.0]]])
def test_columns_that_choose_nothing_are_refused(kept):
    with pytest.raises(InputError, match=r"kept.*: expected shape|expected kept"):
        FeatureSelection.from_arrays({"kept": np.array(kept, dtype=np.float32)})


def test_the_forest_is_the_one_asked_for(leaky):
    X, attributes = leaky
    how = {"forest": "extra_trees", "n_trees": 7, "n_steps": 1, "random_state": 3}
    ive = IVE(removed=0.5, **how).fit(X, sensitive={"gender": attributes["gender"]})
    seed = int(np.random.RandomState(3).randint(2**31))
    forest = ExtraTreesClassifier(
        n_estimators=7, random_state=int(np.random.default_rng(seed).integers(2**31))
    ).fit(X, attributes["gender"])
    removed = forest.feature_importances_[~ive.model_.map.kept]
    assert ive.model_.curve[0]["removed_importance"] == pytest.approx(removed.sum())
    assert removed.min() >= forest.feature_importances_[ive.model_.map.kept].max()


def test_components_are_of_the_rows_to_map_and_not_of_those_with_attributes(leaky):
    X, attributes = leaky
    wide = (X[:150] * np.arange(1, 13)).astype(np.float32)
    multi = MultiIVE(n_trees=2, n_steps=1, random_state=0).fit(wide, detector=(X, attributes))
    components = multi.model_.map.parts[0](wide).astype(float)
    covariance = np.cov(components.T)
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-3)
    assert (np.diff(np.diag(covariance)) < 0).all()
