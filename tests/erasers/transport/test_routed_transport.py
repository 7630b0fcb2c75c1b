"""Routed transport: equal Gaussians, routes, and what an attacker still reads."""

import warnings

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from sensitivenets.embeddings import encode
from sensitivenets.erasers.transport.gaussian import (
    barycentre,
    difference_basis,
    moments_of,
    occupied_directions,
    psd_power,
    shrink,
    transport_matrices,
    whitening_of,
)
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.erasers.transport.steps import (
    align_cells,
    fit_router,
    fit_transport,
    route,
    transport_of,
)
from sensitivenets.errors import FewRowsWarning, InputError
from sensitivenets.maps.model_folder import load_model, save_model
from sensitivenets.maps.routed import RoutedMap, Router, SubspaceMap


def groups_of(n=3000, d=6, k=3, seed=0):
    """Rows of k Gaussians whose means and covariances differ, and the group of each."""
    rng = np.random.default_rng(seed)
    y = rng.integers(k, size=n)
    mixing = rng.standard_normal((k, d, d)) * 0.5 + 0.7 * np.eye(d)
    means = 0.8 * rng.standard_normal((k, d)) + 4
    X = means[y] + np.einsum("ni,nij->nj", rng.standard_normal((n, d)), mixing[y])
    return X.astype(np.float32), y


def not_normalised(stage, X, groups):
    """What a transport does before it normalises."""
    return np.einsum("nd,nde->ne", X, stage.matrices[groups]) + stage.offsets[groups]


def random_covariances(k=3, d=5):
    A = np.random.default_rng(3).standard_normal((k, d, d))
    return A @ A.transpose(0, 2, 1) + 0.1 * np.eye(d)


def test_the_barycentre_of_commuting_covariances_by_hand():
    # In one dimension the standard deviations are averaged: ((1 + 3) / 2)^2 = 4.
    found = barycentre(np.stack([np.diag([1.0, 4.0]), np.diag([9.0, 4.0])]))
    np.testing.assert_allclose(found, np.diag([4.0, 4.0]), atol=1e-6)


def test_narrow_directions_are_averaged_like_wide_ones():
    # Standard deviations 1 and 3 thousandths of the widest; a floor under the squares of the
    # variances would leave neither.
    found = barycentre(np.stack([np.diag([1.0, 1e-6]), np.diag([1.0, 9e-6])]))
    np.testing.assert_allclose(found, np.diag([1.0, 4e-6]), rtol=1e-3, atol=1e-10)


def test_the_barycentre_satisfies_its_equation():
    covariances = random_covariances()
    B = barycentre(covariances)
    root = psd_power(B, 0.5)
    mean = np.mean([psd_power(root @ c @ root, 0.5) for c in covariances], axis=0)
    np.testing.assert_allclose(mean, B, atol=1e-4 * np.trace(B))


def test_transport_matrices_are_symmetric_and_reach_the_target():
    covariances = random_covariances()
    target = barycentre(covariances)
    for T, C in zip(transport_matrices(covariances, target), covariances, strict=True):
        np.testing.assert_allclose(T, T.T, atol=1e-8)
        np.testing.assert_allclose(T @ C @ T, target, atol=1e-6 * np.trace(target))
        assert np.linalg.eigvalsh(T).min() > 0


def test_equal_covariances_are_left_alone():
    C = random_covariances(1)[0]
    np.testing.assert_allclose(transport_matrices(C[None], C)[0], np.eye(len(C)), atol=1e-6)


def test_shrinking_by_one_makes_all_equal():
    shrunk = shrink(random_covariances(), 1.0)
    np.testing.assert_allclose(shrunk[0], shrunk[2])


def test_means_and_covariances_agree_after_transport():
    X, y = groups_of()
    before = moments_of(X, y, 3)
    stage = fit_transport(X, y, 3, shrinkage=0.0)
    moved = not_normalised(stage, X, y)
    after = moments_of(moved, y, 3)
    center = before.means.mean(axis=0)
    np.testing.assert_allclose(after.means, np.stack([center] * 3), atol=1e-4)
    target = barycentre(before.covariances)
    np.testing.assert_allclose(after.covariances, np.stack([target] * 3), atol=1e-3)
    norms = np.linalg.norm(moved, axis=1, keepdims=True)
    np.testing.assert_allclose(stage(X, y), moved / norms, atol=1e-5)


def test_the_shrinkage_comes_from_the_smallest_group():
    X, y = groups_of()
    kept = (y != 0) | (np.arange(len(y)) % 20 == 0)
    X, y = X[kept], y[kept]
    smallest = np.bincount(y).min()
    expected = fit_transport(X, y, 3, shrinkage=6 / (6 + smallest))
    np.testing.assert_array_equal(fit_transport(X, y, 3).matrices, expected.matrices)
    assert not np.allclose(expected.matrices, fit_transport(X, y, 3, 0.0).matrices, atol=1e-3)


def test_the_groups_that_are_matched_are_the_predicted_ones():
    X, y = groups_of()
    eraser = RoutedTransport(n_rounds=1, covariance_shrinkage=0.0, random_state=0)
    part = eraser.fit(X, sensitive=y).model_.map.parts[0]
    predicted = part.router(X)
    assert 0.7 < np.mean(predicted == y) < 0.999
    gaps = {}
    for name, groups in (("predicted", predicted), ("true", y)):
        means = moments_of(not_normalised(part.stages[0], X, predicted), groups, 3).means
        gaps[name] = np.ptp(means, axis=0).max()
    assert gaps["predicted"] < 1e-4 < 0.01 < gaps["true"]


def test_each_round_learns_from_what_the_round_before_left():
    X, y = groups_of()
    fitted = RoutedTransport(n_rounds=2, n_cell_rounds=1, n_cells=4, random_state=0)
    first, second = fitted.fit(X, sensitive=y).model_.map.parts
    assert [len(first.stages), len(second.stages)] == [2, 1]
    np.testing.assert_allclose(first.router.means, moments_of(X, y, 3).means, atol=1e-4)
    np.testing.assert_allclose(second.router.means, moments_of(first(X), y, 3).means, atol=1e-5)


def test_the_shrinkage_of_the_router_is_the_best_on_held_out_rows():
    X, y = groups_of(n=300, d=20, k=2)
    labels = encode("y", y)
    tried = [
        route(X, labels, amount, np.random.default_rng(5))[1]["balanced_accuracy"]
        for amount in (0.03, 0.1, 0.3, 0.6, 0.9)
    ]
    assert min(tried) < max(tried)
    chosen = route(X, labels, None, np.random.default_rng(5))[1]
    assert chosen["balanced_accuracy"] == max(tried)


def test_the_router_is_scikit_learns_qda():
    X, y = groups_of()
    kept = (y != 0) | (np.arange(len(y)) % 5 == 0)
    X, y = X[kept], y[kept]
    router = fit_router(moments_of(X, y, 3), 0.0)
    theirs = QuadraticDiscriminantAnalysis().fit(X, y)
    ours = router.scores(X) - router.scores(X).max(axis=1, keepdims=True)
    ours -= np.log(np.exp(ours).sum(axis=1, keepdims=True))
    # They divide by n - 1.
    np.testing.assert_allclose(np.exp(ours), theirs.predict_proba(X), atol=0.02)


@pytest.mark.parametrize("smallest", [1e-2, 1e-6, 0.0], ids=["usual", "narrow", "empty"])
def test_a_whitening_is_an_upper_triangle_that_inverts_the_covariance(smallest):
    directions = np.linalg.qr(np.random.default_rng(0).standard_normal((70, 70)))[0]
    covariance = directions * np.geomspace(1, max(smallest, 1e-12), 70) @ directions.T
    found = whitening_of(covariance)
    assert not np.tril(found, -1).any()
    expected = psd_power(covariance, -1.0)
    np.testing.assert_allclose(found @ found.T, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("d", [6, 150], ids=["one stripe", "several"])
def test_a_triangle_scores_as_the_symmetric_root_of_earlier_versions(d):
    X, y = groups_of(d=d)
    triangle = fit_router(moments_of(X, y, 3), 0.1)
    roots = [psd_power(w @ w.T, 0.5) for w in triangle.whitening.astype(np.float64)]
    symmetric = Router(triangle.means, np.float32(roots), triangle.offsets)
    assert np.tril(symmetric.whitening, -1).any()
    np.testing.assert_allclose(triangle.scores(X), symmetric.scores(X), rtol=2e-4, atol=2e-3)


def test_streamed_and_merged_moments_give_the_same_transport():
    X, y = groups_of()
    merged = moments_of(X[:1000], y[:1000], 3).merge(moments_of(X[1000:], y[1000:], 3))
    streamed, whole = transport_of(merged), fit_transport(X, y, 3)
    np.testing.assert_allclose(streamed.matrices, whole.matrices, atol=1e-4)
    np.testing.assert_allclose(streamed.offsets, whole.offsets, atol=1e-3)


def test_a_group_without_rows_stays_where_it_is():
    X, y = groups_of(k=2)
    stage = fit_transport(X, y, 3)
    np.testing.assert_allclose(stage.matrices[2], np.eye(X.shape[1]))
    np.testing.assert_allclose(stage.offsets[2], 0, atol=1e-6)


def test_cells_align_the_means_of_the_groups_within_them():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=4000)
    corner = rng.integers(2, size=4000)
    # In one region group 1 lies above group 0, in the other below: the overall means agree.
    X = rng.standard_normal((4000, 3)) * 0.05 + [1.0, 0, 0]
    X[:, 1] += np.where(corner, 1, -1) * 0.6
    X[:, 2] += np.where(corner == y, 0.1, -0.1)
    X = (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)
    gap = lambda Z, c: abs(np.diff([Z[(y == g) & (corner == c), 2].mean() for g in (0, 1)])[0])  # noqa: E731
    moved = align_cells(X, y, 2, 2)(X, y)
    for c in (0, 1):
        assert gap(X, c) > 0.1
        assert gap(moved, c) < 0.01


def test_a_shift_of_few_rows_is_small_and_rows_stay_on_the_sphere():
    X = np.repeat(np.eye(2, 3, dtype=np.float32), (10, 30), axis=0)
    y = np.repeat([0, 1], (10, 30))
    stage = align_cells(X, y, 2, 1, prior_rows=10)
    # The common mean is (1/4, 3/4); 10 rows go half of the way there, 30 three quarters.
    np.testing.assert_allclose(stage.shifts[0, 0], 0.5 * np.array([-0.75, 0.75, 0]), atol=1e-6)
    np.testing.assert_allclose(stage.shifts[1, 0], 0.75 * np.array([0.25, -0.25, 0]), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(stage(X, y), axis=1), 1, atol=1e-6)


@pytest.fixture(scope="module")
def quadratic():
    """Rows that say their group only in their covariance, and the attackers' two halves."""
    X, y = groups_of(6000, 8, 2, seed=4)
    X[:, :4] *= np.where(y, 2.0, 1.0)[:, None]
    X -= 4
    return X, y, np.arange(6000) < 3000


@pytest.mark.parametrize("attacker", [LogisticRegression(), QuadraticDiscriminantAnalysis()])
def test_linear_and_quadratic_attackers_read_before_and_not_after(quadratic, attacker):
    X, y, train = quadratic
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    eraser = RoutedTransport(random_state=0).fit(X[train], sensitive={"group": y[train]})
    reads = {}
    for name, Z in (("before", unit), ("after", eraser.transform(X))):
        Z = Z[~train]
        half = len(Z) // 2
        predicted = attacker.fit(Z[:half], y[~train][:half]).predict(Z[half:])
        reads[name] = balanced_accuracy_score(y[~train][half:], predicted)
    assert reads["before"] > 0.75
    assert reads["after"] < 0.5 + 0.4 * (reads["before"] - 0.5)


@pytest.fixture(scope="module")
def with_empty_directions(quadratic):
    """The same rows, turned, in a space with six directions that hold only rounding."""
    X, y, train = quadratic
    wide = np.hstack([X, np.zeros((len(X), 6))])
    turn, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((14, 14)))
    return (wide @ turn).astype(np.float32), y, train


def test_empty_directions_are_found_and_only_where_there_are_rows_enough(with_empty_directions):
    def found(X):
        return occupied_directions(moments_of(X, np.zeros(len(X), dtype=int), 1))

    X, *_ = with_empty_directions
    basis = found(X)
    np.testing.assert_allclose(basis.T @ basis, np.eye(8), atol=1e-6)
    assert (X - (X @ basis) @ basis.T).std(axis=0).max() < 1e-4
    variances = (X @ basis).var(axis=0)
    assert (np.diff(variances) < 0).all()
    assert found(X[:14]) is None
    assert found(X @ basis) is None
    assert found(np.ones((50, 3), dtype=np.float32)) is None


def test_an_attacker_who_whitens_reads_no_more_from_empty_directions(with_empty_directions):
    X, y, train = with_empty_directions
    eraser = RoutedTransport(random_state=0).fit(X[train], sensitive={"group": y[train]})
    Z = eraser.transform(X[~train])
    white = PCA(whiten=True).fit_transform(Z)
    half = len(Z) // 2
    attacker = QuadraticDiscriminantAnalysis(reg_param=1e-3).fit(white[:half], y[~train][:half])
    assert balanced_accuracy_score(y[~train][half:], attacker.predict(white[half:])) < 0.54


@pytest.mark.parametrize("eraser", [RoutedTransport(n_rounds=2), RoutedTransport(rank=3)])
def test_a_model_folder_keeps_what_was_dropped(with_empty_directions, eraser, tmp_path):
    X, y, _ = with_empty_directions
    eraser.set_params(random_state=0).fit(X, sensitive={"group": y})
    assert len(eraser.model_.map.parts) == eraser.n_rounds
    assert len(eraser.get_feature_names_out()) == 8
    save_model(eraser.model_, tmp_path / "model")
    np.testing.assert_array_equal(load_model(tmp_path / "model").map(X), eraser.transform(X))


def test_the_basis_holds_the_directions_in_which_groups_differ():
    # Means differ in the first feature, variances in the second and third, in units of their own.
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=20_000)
    X = rng.standard_normal((20_000, 8)) * [1, 2, 3, 5, 1, 1, 1, 1]
    X[:, 0] += y
    X[:, 1:3] *= np.where(y, 2.0, 1.0)[:, None]
    basis = difference_basis(moments_of(X, y, 2), 3).astype(np.float64)
    np.testing.assert_allclose(basis.T @ basis, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(basis @ basis.T, np.diag([1, 1, 1, 0, 0, 0, 0, 0]), atol=0.1)


def test_a_subspace_map_is_its_formula():
    X, y = groups_of()
    part = RoutedTransport(n_rounds=1, rank=2, random_state=0).fit(X, sensitive=y).model_.map
    part = part.parts[0]
    z = X @ part.basis
    groups = part.router(z)
    moved = X + (not_normalised(part.transport, z, groups) - z) @ part.basis.T
    expected = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    np.testing.assert_allclose(part(X), expected, atol=1e-6)
    np.testing.assert_array_equal(part(X, groups), part(X))
    # Outside the subspace nothing is moved.
    rest = np.eye(X.shape[1]) - part.basis @ part.basis.T
    np.testing.assert_allclose(moved @ rest, X @ rest, atol=1e-5)


def test_a_subspace_of_all_directions_is_the_whole_space():
    X, y = groups_of()
    whole, ranked = (
        RoutedTransport(rank=rank, random_state=0).fit_transform(X, sensitive=y)
        for rank in (None, 6)
    )
    np.testing.assert_array_equal(ranked, whole)
    moments = moments_of(X, y, 3)
    basis = difference_basis(moments, 6)
    turned = SubspaceMap(
        basis,
        fit_router(moments_of(X @ basis, y, 3), 0.1),
        transport_of(moments_of(X @ basis, y, 3)),
    )
    straight = fit_transport(X, y, 3)(X, fit_router(moments, 0.1)(X))
    np.testing.assert_allclose(turned(X), straight, atol=1e-4)


def test_fewer_rows_than_features_are_moved_within_what_they_span():
    X, y = groups_of(n=90, d=128)
    X[:, 0] = 0
    new = 4 + np.random.default_rng(1).standard_normal((5, 128)).astype(np.float32)
    eraser = RoutedTransport(n_rounds=1, random_state=0)
    with pytest.warns(FewRowsWarning):
        held = eraser.fit(X, sensitive=y).model_.map
    with pytest.warns(FewRowsWarning):
        streamed = eraser.fit_passes(lambda: [X], {"group": encode("group", y)}).model_.map
    for (part,) in (held.parts, streamed.parts):
        assert isinstance(part, SubspaceMap)
        assert 80 < part.basis.shape[1] < 90
        # A feature that no row has stays away.
        assert not part(X)[:, 0].any()
        # No direction is stretched, whoever comes later; what the rows do not span stays.
        assert np.linalg.norm(part.transport.matrices, 2, axis=(1, 2)).max() < 10
        beside = np.eye(128) - part.basis @ part.basis.T
        turned, whole = part(new) @ beside, new @ beside
        cosines = np.einsum("ij,ij->i", turned, whole)
        lengths = np.linalg.norm(turned, axis=1) * np.linalg.norm(whole, axis=1)
        np.testing.assert_allclose(cosines / lengths, 1, atol=1e-4)


def test_rounds_within_subspaces_hide_what_lies_in_them(quadratic):
    X, y, train = quadratic
    eraser = RoutedTransport(n_rounds=4, rank=4, random_state=0)
    Z = eraser.fit(X[train], sensitive=y[train]).transform(X)[~train]
    half = len(Z) // 2
    attacker = QuadraticDiscriminantAnalysis().fit(Z[:half], y[~train][:half])
    assert balanced_accuracy_score(y[~train][half:], attacker.predict(Z[half:])) < 0.65


def test_unlabelled_rows_are_moved_and_teach_the_router_nothing():
    X, y = groups_of()
    known = [f"g{c}" if k % 2 else None for k, c in enumerate(y)]
    eraser = RoutedTransport(n_rounds=1, router_shrinkage=0.1, random_state=0)
    router = eraser.fit(X, sensitive={"g": known}).model_.map.parts[0].router
    half = RoutedTransport(n_rounds=1, router_shrinkage=0.1, random_state=0)
    half.fit(X[1::2], sensitive={"g": known[1::2]})
    np.testing.assert_array_equal(router.means, half.model_.map.parts[0].router.means)


def test_known_groups_need_no_router():
    X, y = groups_of()
    part = RoutedTransport(n_rounds=1, random_state=0).fit(X, sensitive=y).model_.map.parts[0]
    np.testing.assert_array_equal(part(X), part(X, part.router(X)))
    assert not np.array_equal(part(X, y), part(X))


@pytest.mark.parametrize("parameters", [{"n_cell_rounds": 2, "n_cells": 5}, {"rank": 3}])
def test_a_model_folder_gives_the_same_bits(parameters, tmp_path):
    X, y = groups_of()
    eraser = RoutedTransport(**parameters, random_state=0).fit(X, sensitive=y)
    save_model(eraser.model_, tmp_path / "model")
    loaded = load_model(tmp_path / "model").map
    np.testing.assert_array_equal(loaded(X), eraser.transform(X))


def test_blocks_and_order_of_rows_do_not_matter():
    X, y = groups_of()
    phi = RoutedTransport(random_state=0).fit(X, sensitive=y).transform
    np.testing.assert_allclose(phi(X[::-1])[::-1], phi(X), atol=1e-5)
    np.testing.assert_allclose(np.vstack([phi(X[:7]), phi(X[7:])]), phi(X), atol=1e-5)


def test_a_group_too_small_is_named():
    X, y = groups_of()
    y = np.where(np.arange(len(y)) < 5, 9, y)
    with pytest.raises(InputError, match=r"at least 20 labelled rows in each, found '9' \(5 rows"):
        RoutedTransport().fit(X, sensitive=y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_rounds": 0}, "n_rounds: expected an integer of at least 1"),
        ({"n_cells": 1}, "n_cells: expected an integer of at least 2"),
        ({"router_shrinkage": 1.5}, "router_shrinkage: expected a number"),
        ({"rank": 0}, "rank: expected an integer of at least 1"),
        ({"rank": 2, "n_cell_rounds": 1}, "expected n_cell_rounds=0 with a rank, found 1"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    X, y = groups_of(100)
    with pytest.raises(InputError, match=message):
        RoutedTransport(**parameters).fit(X, sensitive=y)


def test_a_stage_that_does_not_fit_the_router_is_refused():
    X, y = groups_of()
    arrays = RoutedTransport(n_rounds=1, random_state=0).fit(X, sensitive=y).model_.map.parts[0]
    fewer = {name: a[:2] if "transport" in name else a for name, a in arrays.arrays().items()}
    with pytest.raises(
        InputError, match=r"'0-transport.matrices': expected shape \(g, d, d\) with g = 3, d = 6"
    ):
        RoutedMap.from_arrays(fewer)


def test_damaged_arrays_of_a_subspace_are_refused():
    X, y = groups_of()
    phi = RoutedTransport(n_rounds=1, rank=2, random_state=0).fit(X, sensitive=y).model_.map
    arrays = phi.parts[0].arrays()
    with pytest.raises(
        InputError, match=r"subspace: expected arrays basis, .*; found lengths, router.means"
    ):
        SubspaceMap.from_arrays({n: a for n, a in arrays.items() if n != "basis"})
    with pytest.raises(
        InputError, match=r"'router.means': expected shape \(g, r\) with r = 1 .*found \(3, 2\)"
    ):
        SubspaceMap.from_arrays(arrays | {"basis": arrays["basis"][:, :1]})
    fewer = {n: a[:2] if "transport" in n else a for n, a in arrays.items()}
    with pytest.raises(
        InputError, match=r"'transport.matrices': expected shape .* with g = 3, r = 2"
    ):
        SubspaceMap.from_arrays(fewer)


def test_damaged_arrays_are_refused():
    with pytest.raises(
        InputError, match=r"router: array 'whitening': expected shape \(g, d, d\) with g = 2, d = 2"
    ):
        Router.from_arrays({n: np.zeros((2, 2)) for n in ("means", "whitening", "offsets")})


def test_a_small_group_is_moved_by_its_mean_and_the_pooled_covariance():
    X, y = groups_of(n=2000, d=20, k=3)
    few = np.flatnonzero(y == 2)[:8]
    kept = np.concatenate([np.flatnonzero(y != 2), few])
    moments = moments_of(X[kept], y[kept], 3)
    stage = transport_of(moments, 0.0)
    pooled = moments.scatter[:2].sum(axis=0) / moments.counts[:2].sum()
    target = barycentre(np.stack([*moments.covariances[:2], pooled]))
    expected = transport_matrices(pooled[None], target)[0]
    np.testing.assert_allclose(stage.matrices[2], expected, atol=1e-5)
    moved = not_normalised(stage, X[kept], y[kept])
    np.testing.assert_allclose(moved[-8:].mean(axis=0), moments.means.mean(axis=0), atol=1e-4)


def test_one_row_more_of_a_small_group_hardly_turns_it():
    X, y = groups_of(n=2000, d=20, k=3)
    few = np.flatnonzero(y == 2)[:9]
    # In double precision, so that only the row makes a difference.
    X, others = X.astype(np.float64), np.flatnonzero(y != 2)
    stages = [
        fit_transport(X[rows], y[rows], 3, 0.0)
        for rows in (np.concatenate([others, few]), np.concatenate([others, few[:-1]]))
    ]
    assert np.abs(stages[0].matrices - stages[1].matrices).max() < 1e-6


def test_a_fit_says_what_its_groups_promise_and_warns_of_few_rows():
    X, y = groups_of(n=3000, d=6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = RoutedTransport(n_rounds=2, random_state=0).fit(X, sensitive=y).model_
    found = model.curve[0]["forecast"]
    assert sum(found["rows"]) == 3000
    assert found["needed"] == 16 * 36
    assert 0.5 < found["accuracy"] < 0.6
    with pytest.warns(FewRowsWarning, match="fewer rows than the square of the features"):
        RoutedTransport(n_rounds=1, random_state=0).fit(X[:90], sensitive=y[:90])


@pytest.mark.parametrize("rank", [None, 3])
def test_a_map_of_unit_rows_normalises_others(rank):
    X, y = groups_of()
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    eraser = RoutedTransport(n_rounds=2, rank=rank, random_state=0).fit(unit, sensitive=y)
    np.testing.assert_allclose(eraser.transform(20 * unit), eraser.transform(unit), atol=1e-5)
    np.testing.assert_allclose(eraser.model_.transform(X), eraser.transform(unit), atol=1e-5)
    part = eraser.model_.map.parts[0]
    again = type(part).from_arrays(part.arrays())
    np.testing.assert_allclose(again(20 * unit), part(unit), atol=1e-5)


def test_rows_far_shorter_than_those_of_a_fit_are_taken_for_rows_of_its_length():
    X, y = groups_of()
    eraser = RoutedTransport(n_rounds=1, random_state=0).fit(X, sensitive=y)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    typical = np.float32(np.median(np.linalg.norm(X, axis=1)))
    lengths = eraser.model_.map.parts[0].lengths
    assert lengths[0] > 1
    np.testing.assert_allclose(eraser.transform(unit), eraser.transform(typical * unit), atol=1e-4)
    zero = np.zeros((1, X.shape[1]), dtype=np.float32)
    assert np.isfinite(eraser.transform(zero)).all()


def test_a_map_without_lengths_leaves_rows_as_they_are():
    X, y = groups_of()
    phi = RoutedTransport(n_rounds=1, random_state=0).fit(X, sensitive=y).model_.map.parts[0]
    arrays = {name: array for name, array in phi.arrays().items() if name != "lengths"}
    old = RoutedMap.from_arrays(arrays)
    np.testing.assert_array_equal(old(X), phi(X))
    assert not np.allclose(old(20 * X), phi(20 * X), atol=1e-3)
