"""Claims about adapting to a table without labels, on small synthetic populations."""

import json
import weakref

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import balanced_accuracy_score
from threadpoolctl import threadpool_limits

from sensitivenets.embeddings.fingerprint import fingerprint, is_among
from sensitivenets.erasers.transport.adapt import adapt, adapt_passes, adapted_model
from sensitivenets.erasers.transport.expectation_maximisation import (
    find_routes,
    shared_routes,
)
from sensitivenets.erasers.transport.forecast import accuracy_of, forecast
from sensitivenets.erasers.transport.gaussian import barycentre, moments_of
from sensitivenets.erasers.transport.grow import grow
from sensitivenets.erasers.transport.own_moments import (
    HalvedMomentStream,
    halves_of,
    lean,
)
from sensitivenets.erasers.transport.passes import HeldRows, chunks
from sensitivenets.erasers.transport.place import find_place, table_routes, transform_table
from sensitivenets.erasers.transport.reference_groups import reference_groups
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.erasers.transport.steps import fit_router
from sensitivenets.errors import InputError
from sensitivenets.maps.digest import weights_digest
from sensitivenets.maps.model_folder import load_model, save_model

D = 12


def population(n, seed, *, shift=0.0, shares=(0.5, 0.5), world=0):
    """Draw two Gaussian groups that differ in mean and covariance; `shift` moves everybody."""
    fixed = np.random.default_rng(world)
    means = np.stack([np.zeros(D), np.r_[3.5, np.zeros(D - 1)]])
    roots = [np.diag(np.r_[np.full(6, 1.3), np.full(6, 0.7)]), np.eye(D)]
    turn = np.linalg.qr(fixed.normal(size=(D, D)))[0]
    rng = np.random.default_rng(seed)
    groups = (rng.random(n) < shares[1]).astype(np.int64)
    E = rng.normal(size=(n, D))
    X = means[groups] + np.where(groups[:, None], E @ roots[1], E @ roots[0])
    X = X @ (np.eye(D) + shift * 0.3 * turn) + shift
    return X.astype(np.float32), groups


def fitted(seed=0, **kwargs):
    X, groups = population(6000, seed, **kwargs)
    return RoutedTransport(n_rounds=1, random_state=0).fit(X, sensitive={"a": groups}).model_


def reference(model):
    shrinkage = model.curve[0]["router"]["shrinkage"]
    return reference_groups(find_place(model.map).router, shrinkage)


def quadratic(Z, y, seed=0):
    """Balanced accuracy of a discriminant analysis on rows it was not fitted on."""
    rng = np.random.default_rng(seed)
    p = rng.permutation(len(Z))
    a, b = p[: len(p) // 2], p[len(p) // 2 :]
    guess = fit_router(moments_of(Z[a], y[a], 2), 0.1)
    scores = guess.scores(Z[b]) - np.log(np.bincount(y[a]) / len(a))
    right = scores.argmax(axis=1) == y[b]
    return float(np.mean([right[y[b] == c].mean() for c in (0, 1)]))


def test_a_router_carries_the_reference():
    model = fitted()
    X, groups = population(6000, 0)
    own = moments_of(X, groups, 2)
    read = reference(model)
    np.testing.assert_allclose(read.covariances, own.covariances, atol=1e-4)
    np.testing.assert_allclose(read.shares, own.counts / 6000, atol=1e-5)


def test_moved_groups_are_found_without_labels():
    model = fitted()
    X, groups = population(6000, 1, shift=0.6, shares=(0.8, 0.2))
    shipped = find_place(model.map).router(X)
    found = find_routes(HeldRows(lambda: [X], len(X)), reference(model)).groups
    balanced = lambda p: np.mean([np.mean(p[groups == c] == c) for c in (0, 1)])  # noqa: E731
    assert balanced(found) > balanced(shipped) + 0.02
    assert balanced(found) > 0.93


def test_an_attacker_reads_before_and_not_after():
    model = fitted()
    X, groups = population(12000, 1, shift=0.6)
    adapted = adapt(model, X)
    before, as_shipped = quadratic(X, groups), quadratic(model.map(X), groups)
    after = quadratic(adapted.map(X), groups)
    assert before > 0.8
    assert after < as_shipped - 0.05
    # Either sign: whoever turns the answer round reads no more.
    assert abs(after - 0.5) < 0.08


def test_routes_are_read_with_neither_sign():
    model = fitted()
    X, _ = population(6000, 3, shift=0.6, shares=(0.8, 0.2))
    readings = {}
    for strength in (1.0, 1e9):
        adapted = adapt(model, X, strength=strength)
        routes = find_place(adapted.map).router(X)
        Z = adapted.map(X)
        readings[strength] = np.mean([quadratic(Z, routes, seed) for seed in range(10)])
    # Matched exactly, rows are negatively dependent.
    assert readings[1e9] < 0.5
    assert abs(readings[1.0] - 0.5) < abs(readings[1e9] - 0.5)


@pytest.mark.parametrize("with_subjects", [False, True])
def test_block_size_does_not_matter(with_subjects):
    model = fitted()
    X, _ = population(20_000, 1, shift=0.4)
    subjects = np.arange(len(X)) // 3 if with_subjects else None

    def blocks(size):
        return lambda: (X[k : k + size] for k in range(0, len(X), size))

    one = adapt(model, X, subjects=subjects).map(X)
    for size in (977, 8192, 12_345):
        other = adapt_passes(model, HeldRows(blocks(size), len(X)), subjects=subjects)
        np.testing.assert_allclose(other.map(X), one, atol=1e-4)


def test_no_more_than_a_few_blocks_are_held():
    model = fitted()
    X, _ = population(60_000, 1)
    refs, most = [], 0

    def blocks():
        nonlocal most
        for k in range(0, len(X), 8192):
            block = X[k : k + 8192].copy()
            refs.append(weakref.ref(block))
            most = max(most, sum(ref() is not None for ref in refs))
            yield block

    adapt_passes(model, HeldRows(blocks, len(X)))
    assert most <= 4


def test_threads_do_not_matter():
    model = fitted()
    X, _ = population(20_000, 1, shift=0.4)
    with threadpool_limits(1):
        one = adapt(model, X).map(X)
    with threadpool_limits(2):
        np.testing.assert_allclose(adapt(model, X).map(X), one, atol=1e-4)


def test_a_table_that_grows_is_adapted_by_addition():
    model = fitted()
    X, _ = population(12_000, 1, shift=0.4, shares=(0.7, 0.3))
    first = adapt(model, X[:4096])
    grown = grow(model, first, X[4096:])
    assert sum(grown.rows) == len(X)
    # As if all rows had been there, routed by the router that was found first.
    router = find_place(first.map).router
    stream = HalvedMomentStream(2, D).update(X, router(X), halves_of(np.arange(len(X))))
    for one, other in zip(grown.moments.halves, stream.moments().halves, strict=True):
        np.testing.assert_array_equal(one.counts, other.counts)
        np.testing.assert_allclose(one.covariances, other.covariances, atol=1e-5)
    whole = adapt(model, X)
    apart = [np.linalg.norm(one.map(X) - whole.map(X), axis=1).mean() for one in (first, grown)]
    assert apart[1] < apart[0]


def test_nothing_is_added_to_a_table_that_was_not_trusted():
    model = fitted()
    foreign = np.random.default_rng(0).normal(size=(900, D)).astype(np.float32)
    with pytest.raises(InputError, match="found one that fell back"):
        grow(model, adapt(model, foreign), foreign)


@pytest.mark.parametrize("n_groups", [2, 40])
def test_from_two_to_forty_groups(n_groups):
    rng = np.random.default_rng(0)
    means = 4 * rng.normal(size=(n_groups, D))

    def draw(n, seed):
        random = np.random.default_rng(seed)
        codes = random.integers(n_groups, size=n)
        return (means[codes] + random.normal(size=(n, D))).astype(np.float32), codes

    X, codes = draw(8000, 1)
    model = RoutedTransport(n_rounds=1, random_state=0).fit(X, sensitive={"a": codes}).model_
    mine, truth = draw(8000, 2)
    found = adapt(model, mine + np.float32(0.3))
    assert not found.doubts
    assert len(found.rows) == n_groups

    def read(Z):
        half = len(Z) // 2
        guess = LinearDiscriminantAnalysis().fit(Z[:half], truth[:half]).predict(Z[half:])
        return balanced_accuracy_score(truth[half:], guess)

    assert read(mine) > 0.9
    assert read(found.map(mine + np.float32(0.3))) < 1 / n_groups + 0.05


def test_tables_merge_by_addition():
    X, groups = population(4000, 1)
    halves = halves_of(np.arange(len(X)))
    whole = HalvedMomentStream(2, D).update(X, groups, halves).moments()
    a = HalvedMomentStream(2, D).update(X[:1500], groups[:1500], halves[:1500]).moments()
    b = HalvedMomentStream(2, D).update(X[1500:], groups[1500:], halves[1500:]).moments()
    for one, other in zip(a.merge(b).halves, whole.halves, strict=True):
        np.testing.assert_array_equal(one.counts, other.counts)
        np.testing.assert_allclose(one.covariances, other.covariances, atol=1e-5)


def test_a_vanished_group_is_said():
    model = fitted()
    X, groups = population(3000, 1)
    adapted = adapt(model, X[groups == 0] - np.r_[3, np.zeros(D - 1)].astype(np.float32))
    assert min(adapted.rows) < 10
    assert any("vanished" in said or "fewer rows" in said for said in adapted.doubts)
    assert np.isfinite(adapted.map(X)).all()


FOREIGN = {
    "noise": lambda X, rng: rng.normal(size=X.shape),
    "one Gaussian": lambda X, rng: rng.multivariate_normal(X.mean(axis=0), np.cov(X.T), len(X)),
    "of another network": lambda X, rng: X @ np.linalg.qr(rng.normal(size=(D, D)))[0],
    "features permuted": lambda X, rng: X[:, rng.permutation(D)],
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_table_unlike_the_reference_is_said_and_the_models_own_map_kept(kind):
    model = fitted()
    alike, _ = population(3000, 2, shift=0.6, shares=(0.8, 0.2))
    assert adapt(model, alike).gained > 0
    X = FOREIGN[kind](alike, np.random.default_rng(0)).astype(np.float32)
    found = adapt(model, X)
    assert found.fell_back
    assert found.gained < 0
    assert "unlike the reference" in found.doubts[0]
    assert "fell back on the model's own maps" in found.doubts[-1]
    np.testing.assert_array_equal(found.map(X), model.map(X))
    assert not adapt(model, X, trust=True).fell_back


def test_a_table_like_the_reference_raises_no_doubt():
    assert not adapt(fitted(), population(3000, 2)[0]).doubts


def test_a_model_of_several_rounds_maps_a_table_it_fell_back_on():
    X, groups = population(6000, 0)
    model = RoutedTransport(n_rounds=3, random_state=0).fit(X, sensitive={"a": groups}).model_
    foreign = np.random.default_rng(0).normal(size=(900, D)).astype(np.float32)
    found = adapt(model, foreign)
    alone = np.full(len(foreign), -1)
    np.testing.assert_array_equal(transform_table(found.map, foreign, alone), model.map(foreign))


def test_rows_of_another_scale_are_refused():
    model = fitted()
    X, _ = population(1000, 1)
    with pytest.raises(InputError, match="times as long"):
        adapt(model, 20 * X)


def test_a_rare_group_leans_on_the_reference():
    model = fitted()
    X, groups = population(4000, 1, shares=(0.992, 0.008))
    stream = HalvedMomentStream(2, D).update(X, groups, halves_of(np.arange(len(X))))
    leaned = lean(stream.moments(), reference(model))
    truth = reference(model).covariances[1]
    error = np.linalg.norm(leaned.groups.covariances[1] - truth)
    assert error < np.linalg.norm(stream.moments().whole.covariances[1] - truth) / 2


def test_subjects_share_a_route():
    scores = np.array([[0, 1], [5, 0], [0, 1], [0, 2]], dtype=np.float32)
    routes = shared_routes([scores[:1], scores[1:]], np.array([0, 0, -1, 1]))
    assert routes.tolist() == [0, 0, 1, 1]


def test_rows_of_a_subject_share_their_evidence():
    model = fitted()
    X, truth = population(2700, 1, shift=0.4)
    order = np.argsort(truth, kind="stable")
    X, truth, subjects = X[order], truth[order], np.arange(2700) // 3
    adapted = adapt(model, X, subjects=subjects)
    right = [np.mean(table_routes(adapted.map, X, who) == truth) for who in (subjects, None)]
    assert right[0] > right[1] + 0.03
    assert right[0] > 0.99
    assert transform_table(adapted.map, X, subjects).shape == X.shape


def test_no_row_and_no_route_is_in_the_record():
    X, _ = population(900, 1)
    record = adapt(fitted(), X).record()
    assert "moments" not in record
    assert "map" not in record
    assert len(json.dumps(record)) < len(X)


def test_an_adapted_model_is_saved_with_its_parent_and_its_table(tmp_path):
    X, _ = population(900, 1)
    parent = fitted()
    adapted = adapt(parent, X)
    save_model(adapted_model(parent, adapted, fingerprint(X)), tmp_path / "model")
    again = load_model(tmp_path / "model")
    np.testing.assert_array_equal(again.map(X), adapted.map(X))
    assert is_among(fingerprint(X), {"table": again.fingerprint["adapted"]})
    assert again.fingerprint["reference primary"] == parent.fingerprint["primary"]
    assert again.fingerprint["parent"] == {"weights_sha256": weights_digest(parent.map.arrays())}
    assert again.curve[0]["adapted"]["rows"] == list(adapted.rows)
    with pytest.raises(InputError, match="found one that was adapted"):
        adapt(again, X)


def test_forecast_is_the_closed_form_and_is_met():
    f = forecast(np.array([16 * 64 * 64] * 2), 64)
    assert 0.545 < f.accuracy < 0.555
    assert accuracy_of(0.0, 3) == pytest.approx(1 / 3, abs=1e-3)
    # New rows of two groups that were alike, whitened by 400 rows each: read with plenty of labels.
    rng = np.random.default_rng(0)
    rows, n = [], 400
    for _ in range(2):
        S = np.cov(rng.normal(size=(n, D)).T)
        w, v = np.linalg.eigh(S)
        rows.append(rng.normal(size=(60_000, D)) @ (v / np.sqrt(w)) @ v.T)
    Z, y = np.concatenate(rows).astype(np.float32), np.repeat([0, 1], 60_000)
    assert quadratic(Z, y) == pytest.approx(forecast(np.array([n, n]), D).accuracy, abs=0.03)


def test_how_groups_differ_from_the_reference_is_known_from_few_rows():
    def signal(n, seed):
        X, groups = population(n, seed)
        # The second group alone is stretched, by which it differs from the reference's.
        X[groups == 1] = X[groups == 1] * np.geomspace(0.8, 1.6, D)
        return lean(
            HalvedMomentStream(2, D).update(X, groups, halves_of(np.arange(n))).moments(), known
        ).signal

    known = reference(fitted())
    many = signal(100_000, 1)
    few = np.mean([signal(640, seed) for seed in range(20)], axis=0)
    # What two halves of one table agree on would be 0.2 to 0.3 less for 640 rows.
    np.testing.assert_allclose(few, many, atol=0.12)


def test_the_barycentre_is_weighted():
    covariances = np.stack([np.eye(3), 9 * np.eye(3)])
    np.testing.assert_allclose(barycentre(covariances, np.array([0.75, 0.25])), 2.25 * np.eye(3))


def test_a_table_of_another_length_is_refused():
    with pytest.raises(InputError, match="expected 5 rows"):
        list(chunks(lambda: [np.zeros((3, 2), np.float32)], 5))
