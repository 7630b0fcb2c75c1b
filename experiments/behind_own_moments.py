"""What was tried before, again, behind maps of a table's own moments (docs/best_eraser_log.md).

    SENSITIVENETS_DATA=data OMP_NUM_THREADS=1 python experiments/behind_own_moments.py

A model of FairFace `fit` is adapted to a part of a table; the other rows (people, on CelebA) are
fresh. Each idea stays if it takes two points from what is read of them, at equal LFW, for two
seeds. Attackers are those of adaptation.py; codes are read by neighbours on all bits and by
discriminant analyses of 128 principal components.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from adaptation import (
    Int64,
    Protected,
    lfw_view_2,
    neighbour_scores,
    own_tar,
    split_of,
    strongest,
    tables,
)
from sklearn.decomposition import PCA

from sensitivenets.codes.keys import CodeKey
from sensitivenets.codes.universal import CodeParameters, code_of_key
from sensitivenets.embeddings import FloatArray, read_table
from sensitivenets.erasers.transport.expectation_maximisation import find_routes
from sensitivenets.erasers.transport.gaussian import (
    barycentre,
    psd_power,
    transport_matrices,
)
from sensitivenets.erasers.transport.own_moments import LeanedMoments, lean
from sensitivenets.erasers.transport.place import find_place
from sensitivenets.erasers.transport.reference_groups import GaussianGroups, reference_groups
from sensitivenets.erasers.transport.steps import align_cells
from sensitivenets.maps.base import Model
from sensitivenets.maps.routed import GroupTransport, RoutedMap

_TABLES = (("FairFace", ("gender", "ethnicity")), ("CelebA", ("gender",)))
_CODES = ((1024, 1.25), (2048, 1.0), (4096, 1.0))
_SEEDS, _CELLS, _COMPONENTS = (0, 1), (256, 1024), 128
_SLICES, _QUANTILES, _SLICED_ROWS = 64, np.linspace(0.005, 0.995, 100), 300

Map = Callable[[FloatArray], FloatArray]


def ideas(
    base: RoutedMap, groups: GaussianGroups, X: FloatArray, routes: Int64, within: FloatArray
) -> Iterator[tuple[str, Map]]:
    """Yield each idea as a map: `base` is what adapting gives, `routes` those of its rows."""
    yield "as adapted", base
    yield "least moved in the metric within persons", moving(base, *least_moved(groups, within))
    yield "mirrored", moving(base, *mirrored(base, groups))
    Z = base(X, routes)
    for cells in _CELLS:
        stage = align_cells(Z, routes, base.router.n_groups, cells)
        yield f"{cells} cells of own rows", replace(base, stages=(*base.stages, stage))
    yield "sliced", sliced(base, Z, routes)
    center = base(X).mean(axis=0)
    for bits, scale in _CODES:
        code = code_of_key(CodeKey.from_seed(0), CodeParameters(X.shape[1], bits, scale))
        yield f"code of {bits} bits at {scale}", coded(base, center, code)


def coded(base: RoutedMap, center: FloatArray, code: Map) -> Map:
    """Put a code behind, around the mean."""
    return lambda X: code(base(X) - center)


def moving(base: RoutedMap, matrices: FloatArray, offsets: FloatArray) -> RoutedMap:
    """Route as before, and move by other matrices."""
    stage = GroupTransport(matrices.astype(np.float32), offsets.astype(np.float32))
    return replace(base, stages=(stage,))


def offsets(groups: GaussianGroups, matrices: FloatArray) -> FloatArray:
    """Shifts that take each group's mean to that of all."""
    return groups.center - np.einsum("gi,gij->gj", groups.means, matrices)


def least_moved(groups: GaussianGroups, within: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Optimal transport where rows of one person are white, so that persons are moved least."""
    root, inverse = psd_power(within, 0.5), psd_power(within, -0.5)
    white = inverse @ groups.covariances @ inverse
    matrices = transport_matrices(white, barycentre(white, groups.shares))
    matrices = inverse @ matrices @ root
    return matrices, offsets(groups, matrices)


def mirrored(base: RoutedMap, groups: GaussianGroups) -> tuple[FloatArray, FloatArray]:
    """Reflect one half of the groups along what tells them from the other.

    Rows that a router is unsure of then meet rows that it is sure of: posteriors balance.
    """
    (stage,) = base.stages
    assert isinstance(stage, GroupTransport)
    target = barycentre(groups.covariances, groups.shares)
    root, inverse = psd_power(target, 0.5), psd_power(target, -0.5)
    matrices = stage.matrices.astype(np.float64)
    # Groups are gender x ethnicity: the second half is the second gender, of the same ethnicities.
    half = len(matrices) // 2
    for one, other in zip(range(half), range(half, 2 * half), strict=True):
        pooled = (groups.covariances[one] + groups.covariances[other]) / 2
        steepest = np.linalg.solve(pooled, groups.means[other] - groups.means[one])
        direction = root @ np.linalg.solve(matrices[other], steepest)
        direction /= np.linalg.norm(direction)
        turned = np.eye(len(direction)) - 2 * np.outer(direction, direction)
        matrices[other] = matrices[other] @ inverse @ turned @ root
    return matrices, offsets(groups, matrices)


def sliced(base: RoutedMap, Z: FloatArray, routes: Int64) -> Map:
    """Match all quantiles of the groups along random directions, one after the other."""
    d = Z.shape[1]
    directions = np.linalg.qr(np.random.default_rng(0).standard_normal((d, d)))[0].T[:_SLICES]
    Z, steps = Z.copy(), []
    for direction in directions:
        along = Z @ direction
        target = np.quantile(along, _QUANTILES)
        of_group = {
            g: np.quantile(along[routes == g], _QUANTILES)
            for g in range(base.router.n_groups)
            if np.sum(routes == g) > _SLICED_ROWS
        }
        steps.append((direction, target, of_group))
        Z += step(along, routes, *steps[-1])

    def moved(X: FloatArray) -> FloatArray:
        found = base.router(base.seen(X))
        Y = base(X, found)
        for direction, target, of_group in steps:
            Y += step(Y @ direction, found, direction, target, of_group)
        return Y / np.linalg.norm(Y, axis=1, keepdims=True)

    return moved


def step(
    along: FloatArray,
    routes: Int64,
    direction: FloatArray,
    target: FloatArray,
    of_group: dict[int, FloatArray],
) -> FloatArray:
    """Return how far rows move along a direction: from the quantiles of their group to all's."""
    far = np.zeros(len(along))
    for g, source in of_group.items():
        rows = routes == g
        within = np.clip(along[rows], source[0], source[-1])
        far[rows] = np.interp(within, source, target) - within
    return np.outer(far, direction).astype(np.float32)


def read(Z: FloatArray, rows: tuple[Int64, Int64], known: Int64) -> float:
    """Most that is read; of a code by principal components, and by neighbours among all bits."""
    if Z.shape[1] <= _COMPONENTS:
        return strongest(Z, rows, known, kernel=False)
    components = PCA(_COMPONENTS, svd_solver="randomized", random_state=0).fit(Z[rows[0]])
    return max(
        strongest(components.transform(Z), rows, known, kernel=False),
        neighbours_alone(Z, rows, known),
    )


def neighbours_alone(Z: FloatArray, rows: tuple[Int64, Int64], known: Int64) -> float:
    """Most that neighbours read, of either sign, in percent."""
    truth = known[rows[1]]
    return 100 * max(
        float(np.mean([np.mean(guess[truth == c] == c) for c in range(known.max() + 1)]))
        for scores in neighbour_scores(Z, *rows, known)
        for guess in (scores.argmax(axis=1), scores.argmin(axis=1))
    )


def covariance_within(table: Protected) -> FloatArray:
    """Covariance of rows around the mean of their person."""
    assert table.subjects is not None
    counts = np.bincount(table.subjects)
    means = np.zeros((len(counts), table.X.shape[1]))
    np.add.at(means, table.subjects, table.X)
    apart = table.X - (means / counts[:, None])[table.subjects]
    return apart.T @ apart / (len(table.X) - len(counts))


def adapted(
    model: Model, X: FloatArray, subjects: Int64 | None
) -> tuple[RoutedMap, LeanedMoments, Int64]:
    """Adapt as `adapt` does, and return the routes too."""
    place = find_place(model.map)
    reference = reference_groups(place.router, model.curve[0]["router"]["shrinkage"])
    routes = find_routes(lambda: [X], len(X), reference, subjects=subjects)
    leaned = lean(routes.moments, reference)
    moved = place.moved_by(routes.router, leaned)
    assert isinstance(moved, RoutedMap)
    return moved, leaned, routes.groups


def main() -> None:
    """Run, one line an idea."""
    folder = Path(os.environ["SENSITIVENETS_DATA"])
    lfw = read_table(folder / "lfw.parquet").vectors
    for name, remove in _TABLES:
        model, found = tables(folder, remove)
        table, within = found[name], covariance_within(found["CelebA"])
        for seed in _SEEDS:
            now, then = table.splits(seed + 1)
            known = None if table.subjects is None else table.subjects[now]
            people = np.arange(len(table.X)) if table.subjects is None else table.subjects
            rows = split_of(np.unique(people[then], return_inverse=True)[1], seed)
            base, leaned, routes = adapted(model, table.X[now], known)
            for title, phi in ideas(base, leaned.groups, table.X[now], routes, within):
                Z = phi(table.X[then])
                said = ", ".join(f"{read(Z, rows, y[then]):.1f}" for y in table.labels.values())
                kept = lfw_view_2(phi(lfw), folder)
                own = "" if known is None else f", own TAR {own_tar(phi(table.X[now]), known):.1f}"
                print(f"{name}, seed {seed}, {title}: {said}; {kept}{own}", flush=True)


if __name__ == "__main__":
    main()
