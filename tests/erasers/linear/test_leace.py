import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.covariance import oas
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier

from sensitivenets.embeddings import read_table
from sensitivenets.erasers.linear.leace import (
    LEACE,
    CholeskyWhitening,
    oracle_approximating_shrinkage,
)
from sensitivenets.errors import CollapseWarning, DetectorWarning, InputError

EXACT = LEACE(covariance_rows=None, shrinkage=False)


@pytest.fixture(scope="module")
def leaky():
    """Correlated features of very different scale, shifted by a gender and three ethnicities."""
    rng = np.random.default_rng(0)
    gender, ethnicity = rng.integers(2, size=1500), rng.integers(3, size=1500)
    X = rng.standard_normal((1500, 10)) @ rng.standard_normal((10, 10))
    X += np.outer(gender, rng.standard_normal(10)) * 3
    X += rng.standard_normal((3, 10))[ethnicity] * 3
    X *= np.logspace(-2, 2, 10)
    return X.astype(np.float32), {"gender": gender, "ethnicity": ethnicity}


def one_hot(codes):
    return np.eye(codes.max() + 1)[codes]


def projection(model):
    """P of x -> P x + c."""
    return (
        np.eye(model.map.n_features_in)
        - (model.map.read.astype(np.float64) @ model.map.write.astype(np.float64)).T
    )


def standardised(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


def reads(X, codes):
    """Balanced accuracy of a linear attacker on its own training rows, and its coefficients."""
    attacker = LogisticRegression(C=1e4, max_iter=2000, tol=1e-8).fit(standardised(X), codes)
    return balanced_accuracy_score(codes, attacker.predict(standardised(X))), attacker.coef_


def test_linear_attackers_read_the_attributes_before_and_nothing_after(leaky):
    X, attributes = leaky
    hidden = clone(LEACE()).fit_transform(X, sensitive=attributes)
    for codes in attributes.values():
        before, _ = reads(X, codes)
        after, coefficients = reads(hidden, codes)
        assert before > 0.7
        assert after == 1 / (codes.max() + 1)
        assert np.abs(coefficients).max() < 1e-3


def test_it_is_the_published_projection(leaky):
    X, attributes = leaky
    Z = one_hot(attributes["ethnicity"])
    model = clone(EXACT).fit(X, sensitive={"e": attributes["ethnicity"]}).model_
    both = np.cov(X.astype(np.float64).T, Z.T)
    values, vectors = np.linalg.eigh(both[:10, :10])
    W = vectors @ np.diag(values**-0.5) @ vectors.T
    U = np.linalg.svd(W @ both[:10, 10:])[0][:, :2]
    expected = np.eye(10) - np.linalg.inv(W) @ U @ U.T @ W
    mean = X.mean(axis=0, dtype=np.float64)
    naive = (X - mean) @ expected.T + mean
    scale = X.std(axis=0)
    np.testing.assert_allclose(model.map(X) / scale, naive / scale, atol=2e-4)


@pytest.mark.parametrize("eraser", [EXACT, LEACE(), LEACE(covariance_rows=50)])
def test_properties_of_the_projection(leaky, eraser):
    X, attributes = leaky
    X = standardised(X).astype(np.float32)
    model = clone(eraser).fit(X, sensitive=attributes).model_
    P = projection(model)
    for codes in attributes.values():
        cross = np.cov(X.astype(np.float64).T, one_hot(codes).T)[:10, 10:]
        np.testing.assert_allclose(P @ cross, 0, atol=2e-6)
    np.testing.assert_allclose(P @ P, P, atol=1e-5)
    assert np.linalg.matrix_rank(np.eye(10) - P, tol=1e-4) == 3
    np.testing.assert_allclose(model.map(X).mean(axis=0), X.mean(axis=0), atol=1e-5)
    assert [(r["attribute"], r["kept"]) for r in model.curve] == [
        ("gender", True),
        ("ethnicity", True),
        ("ethnicity", True),
    ]


def test_no_other_edit_that_erases_is_smaller(leaky):
    X, attributes = leaky
    X = standardised(X).astype(np.float32)
    gender = {"gender": attributes["gender"]}
    edit = np.square(clone(EXACT).fit_transform(X, sensitive=gender) - X).sum()
    rng = np.random.default_rng(1)
    model = clone(EXACT).fit(X, sensitive=gender).model_
    write = model.map.write[0].astype(np.float64)
    for step in (1e-2, 1e-1, 1.0):
        read = model.map.read[:, 0] + step * rng.standard_normal(10) * np.abs(model.map.read).mean()
        read /= write @ read  # every projection with this kernel erases
        other = np.square(((X - X.mean(axis=0)) @ read)[:, None] * write).sum()
        assert other > edit


def test_units_of_the_features_do_not_matter(leaky):
    X, attributes = leaky
    scales = np.logspace(3, -3, 10).astype(np.float32)
    one = clone(EXACT).fit_transform(X, sensitive=attributes)
    two = clone(EXACT).fit_transform(X * scales, sensitive=attributes) / scales
    np.testing.assert_allclose(one / X.std(axis=0), two / X.std(axis=0), atol=1e-4)


def test_correlations_are_canonical(leaky):
    X, attributes = leaky
    codes = attributes["ethnicity"]
    curve = clone(EXACT).fit(X, sensitive=codes).model_.curve
    bases = [np.linalg.qr(a - a.mean(axis=0))[0] for a in (X.astype(float), one_hot(codes)[:, :2])]
    expected = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    np.testing.assert_allclose([r["correlation"] for r in curve], expected, rtol=1e-3)


@pytest.mark.skipif("SENSITIVENETS_DATA" not in os.environ, reason="SENSITIVENETS_DATA is not set")
def test_real_faces_are_hidden_from_linear_attackers_and_from_no_others():
    table = read_table(Path(os.environ["SENSITIVENETS_DATA"]) / "fairface.parquet")
    table = table.where("split", "attack_train")
    attributes = {name: table.labels(name).codes for name in ("gender", "ethnicity")}
    hidden = LEACE(random_state=0).fit_transform(table.vectors, sensitive=attributes)
    before, _ = reads(table.vectors[:3000], attributes["gender"][:3000])
    assert before > 0.7
    for codes in attributes.values():
        after, coefficients = reads(hidden, codes)
        assert after < 1 / (codes.max() + 1) + 0.005
        assert np.abs(coefficients).max() < 1e-2
    # Neighbours still read it: what this promises is about linear attackers alone.
    neighbours = KNeighborsClassifier(25).fit(hidden[:3000], attributes["gender"][:3000])
    assert neighbours.score(hidden[3000:4000], attributes["gender"][3000:4000]) > 0.65


def rare(n):
    """One row in a thousand is of the class, eight standard deviations away."""
    rng = np.random.default_rng(0)
    codes = np.zeros(n, dtype=np.int64)
    codes[rng.choice(n, n // 1000, replace=False)] = 1
    X = rng.standard_normal((n, 16)).astype(np.float32)
    X[:, 3] += 8 * codes
    return X, codes


def gap(X, codes):
    means = [X[codes == c].mean(axis=0, dtype=np.float64) for c in (0, 1)]
    return np.linalg.norm(means[1] - means[0])


def published(X, Z, **options):
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch.jit.script, at import
        from concept_erasure import LeaceFitter
    fitter = LeaceFitter.fit(torch.from_numpy(X), torch.from_numpy(Z), **options)
    return fitter.eraser(torch.from_numpy(X)).numpy()


def test_a_rare_class_is_removed_where_concept_erasure_leaves_it():
    X, codes = rare(50_000)
    hidden = LEACE(random_state=0).fit_transform(X, sensitive=codes)
    theirs = published(X, codes.astype(np.float32)[:, None])
    assert gap(X, codes) > 7.9
    assert gap(theirs, codes) > 7.9
    assert gap(hidden, codes) < 1e-4


@pytest.mark.parametrize("shrinkage", [True, False])
def test_the_same_as_concept_erasure_where_that_works(leaky, shrinkage):
    X, attributes = leaky
    X = standardised(X).astype(np.float32)
    Z = np.concatenate([one_hot(codes) for codes in attributes.values()], axis=1)
    theirs = published(X.astype(np.float64), Z, shrinkage=shrinkage, constrain_cov_trace=False)
    ours = LEACE(covariance_rows=None, shrinkage=shrinkage).fit_transform(X, sensitive=attributes)
    # The two shrink covariances by different rules.
    np.testing.assert_allclose(ours, theirs, atol=0.02 if shrinkage else 2e-4)


def test_batches_are_the_whole(leaky):
    X, attributes = leaky
    whole = clone(EXACT).fit(X, sensitive=attributes)
    parts = clone(EXACT)
    # Sorted: the first batches have one class only.
    order = np.argsort(attributes["ethnicity"], kind="stable")
    for rows in np.array_split(order, 9):
        parts.partial_fit(X[rows], sensitive={k: v[rows] for k, v in attributes.items()})
    scale = X.std(axis=0)
    np.testing.assert_allclose(parts.transform(X) / scale, whole.transform(X) / scale, atol=1e-3)
    assert parts.model_.removed == whole.model_.removed
    assert parts.model_.fingerprint["primary"]["rows"] == 1500


def test_a_fit_between_batches_survives_pickling(leaky):
    X, attributes = leaky
    half = LEACE(random_state=0).partial_fit(X[:700], sensitive=attributes["gender"][:700])
    copy = pickle.loads(pickle.dumps(half))
    for eraser in (half, copy):
        eraser.partial_fit(X[700:], sensitive=attributes["gender"][700:])
    np.testing.assert_array_equal(half.transform(X), copy.transform(X))


def test_fit_starts_anew_after_batches(leaky):
    X, attributes = leaky
    eraser = clone(EXACT).partial_fit(X[:500] * 2, sensitive=attributes["gender"][:500])
    eraser.fit(X, sensitive=attributes["gender"])
    fresh = clone(EXACT).fit(X, sensitive=attributes["gender"])
    np.testing.assert_array_equal(eraser.transform(X), fresh.transform(X))


def test_one_class_so_far_is_not_fitted(leaky):
    X, attributes = leaky
    women = attributes["gender"] == 0
    eraser = LEACE().partial_fit(X[women], sensitive=attributes["gender"][women])
    with pytest.raises(NotFittedError):
        eraser.transform(X)
    with pytest.raises(InputError, match="'sensitive': expected at least two classes, found '0'"):
        _ = eraser.model_


def test_a_sampled_covariance_makes_the_edit_little_larger():
    rng = np.random.default_rng(3)
    codes = rng.integers(2, size=20_000)
    X = rng.standard_normal((20_000, 16)).astype(np.float32) @ rng.standard_normal((16, 16))
    X = (X + np.outer(codes, rng.standard_normal(16))).astype(np.float32)
    exact, sampled = (
        clone(EXACT).set_params(covariance_rows=rows, random_state=0).fit(X, sensitive=codes)
        for rows in (None, 1600)
    )
    edits = [np.square(eraser.transform(X) - X).sum() for eraser in (exact, sampled)]
    assert edits[0] < edits[1] < 1.05 * edits[0]  # d / m = 0.01
    assert gap(sampled.transform(X), codes) < 1e-4


def test_rows_without_a_label_are_left_out(leaky):
    X, attributes = leaky
    gender = attributes["gender"].astype(object)
    gender[900:] = None
    some = clone(EXACT).fit(X, sensitive=gender)
    first = clone(EXACT).fit(X[:900], sensitive=gender[:900])
    scale = X.std(axis=0)
    np.testing.assert_allclose(some.transform(X) / scale, first.transform(X) / scale, atol=1e-5)


def test_the_same_attribute_twice_is_one_direction(leaky):
    X, attributes = leaky
    gender = attributes["gender"]
    model = LEACE(random_state=0).fit(X, sensitive={"a": gender, "b": 1 - gender}).model_
    assert model.map.read.shape == (10, 1)


def test_constant_features_and_more_features_than_rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 40)).astype(np.float32)
    X[:, 7] = 2
    codes = np.arange(20) % 2
    hidden = LEACE(random_state=0).fit_transform(X, sensitive=codes)
    assert gap(X, codes) > 1
    assert gap(hidden, codes) < 1e-4
    np.testing.assert_allclose(hidden[:, 7], 2, atol=1e-5)


def test_an_attribute_with_nothing_linear_to_remove_is_reported():
    X = np.array([[1, 1], [-1, -1], [1, -1], [-1, 1]] * 5, dtype=np.float32)
    xor = (X[:, 0] * X[:, 1] > 0).astype(int)
    with pytest.warns(DetectorWarning, match="its class means are equal"):
        eraser = LEACE().fit(X, sensitive=xor)
    np.testing.assert_array_equal(eraser.transform(X), X)
    assert eraser.model_.curve == ({"attribute": "sensitive", "correlation": 0.0, "kept": False},)


def test_removing_every_direction_is_called_collapse():
    rng = np.random.default_rng(0)
    with pytest.warns(CollapseWarning, match="as many as there are features"):
        LEACE().fit(rng.standard_normal((60, 2)), sensitive=rng.integers(3, size=60))


def test_shrinkage_is_that_of_scikit_learn():
    X = np.random.default_rng(0).standard_normal((30, 8)) @ np.diag(np.arange(1, 9.0))
    correlation = np.corrcoef(X.T)
    # Rows whose covariance, with n in the denominator, is this correlation matrix.
    rows = np.linalg.cholesky(correlation).T * np.sqrt(8)
    expected = oas(rows, assume_centered=True)[1]
    assert oracle_approximating_shrinkage(correlation, 8) == pytest.approx(expected)


def test_whitening_gives_unit_covariance():
    covariance = np.cov(np.random.default_rng(0).standard_normal((5, 50)))
    whitening = CholeskyWhitening.of(covariance, 50, shrink=False)
    W = whitening.whiten(np.eye(5))
    np.testing.assert_allclose(W @ covariance @ W.T, np.eye(5), atol=1e-5)
    np.testing.assert_allclose(whitening.unwhiten(np.eye(5)) @ W, np.eye(5), atol=1e-9)
    np.testing.assert_allclose(whitening.readers(np.eye(5)), W.T, atol=1e-9)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"covariance_rows": 1}, "covariance_rows: expected an integer of at least 2; found 1"),
        ({"tolerance": 2.0}, "tolerance: expected a number at least 0.0 and at most 1.0; found 2"),
    ],
)
def test_parameters_are_checked(leaky, parameters, message):
    X, attributes = leaky
    for fit in (LEACE(**parameters).fit, LEACE(**parameters).partial_fit):
        with pytest.raises(InputError, match=message):
            fit(X, sensitive=attributes)


def test_batches_have_the_same_attributes(leaky):
    X, attributes = leaky
    eraser = LEACE().partial_fit(X, sensitive=attributes)
    with pytest.raises(InputError, match=r"expected the attributes \['ethnicity', 'gender'\]"):
        eraser.partial_fit(X, sensitive={"age": attributes["gender"]})
