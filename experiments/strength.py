"""Whether the strength of own moments can be chosen without a label of the table.

What it prints is in docs/adapt_log.md.

    SENSITIVENETS_DATA=data OMP_NUM_THREADS=1 python experiments/strength.py

For each strength, the most that an attacker of either sign reads (as in adaptation.py) from

- "the table": its own rows and labels, which nobody who adapts has;
- "Gaussian world": drawn groups with the table's moments, sizes and subjects, adapted to by the
  same model, attacked with the labels they were drawn with;
- "reference": the 40 % of FairFace `fit` that a model of the other 60 % adapts to without labels.

A strength is chosen well by a world if what it reads least there is read least from the table.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from adaptation import Int64, Protected, codes, strongest, tables

from sensitivenets.embeddings import EmbeddingTable, FloatArray, read_table
from sensitivenets.erasers.transport.expectation_maximisation import find_routes
from sensitivenets.erasers.transport.gaussian import psd_power
from sensitivenets.erasers.transport.own_moments import lean
from sensitivenets.erasers.transport.place import find_place
from sensitivenets.erasers.transport.reference_groups import GaussianGroups, reference_groups
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.maps.base import Model

_STRENGTHS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
_REMOVE = ("gender", "ethnicity")
_FITTED = 0.6


def by_strength(model: Model, table: Protected) -> str:
    """Read a table that is adapted to with each strength: one figure an attribute."""
    place = find_place(model.map)
    reference = reference_groups(place.router, model.curve[0]["router"]["shrinkage"])
    routes = find_routes(lambda: [table.X], len(table.X), reference, subjects=table.subjects)
    said = []
    for strength in _STRENGTHS:
        moved = place.moved_by(routes.router, lean(routes.moments, reference, strength))
        Z = moved(table.X, routes.groups)
        read = [strongest(Z, table.splits(0), y, kernel=False) for y in table.labels.values()]
        said.append("; ".join(f"{one:.1f}" for one in read))
    return " | ".join(said)


def gaussian_world(model: Model, table: Protected, seed: int = 0) -> Protected:
    """Draw groups like a table's: their moments of least error, their sizes, its subjects."""
    place = find_place(model.map)
    reference = reference_groups(place.router, model.curve[0]["router"]["shrinkage"])
    routes = find_routes(lambda: [table.X], len(table.X), reference, subjects=table.subjects)
    groups = lean(routes.moments, reference).groups
    X = drawn(groups, routes.groups, table, np.random.default_rng(seed))
    sizes = [len(classes) for classes in model.removed.values()]
    of_class = dict(zip(model.removed, np.unravel_index(routes.groups, sizes), strict=True))
    labels = {name: np.asarray(of_class[name]) for name in table.labels}
    return Protected(X, labels, table.subjects, table.split)


def drawn(
    groups: GaussianGroups, which: Int64, table: Protected, rng: np.random.Generator
) -> FloatArray:
    """Draw a unit row for each row of a table; rows of a subject are as alike as there."""
    people = np.arange(len(which)) if table.subjects is None else table.subjects
    within = within_subjects(table.X, people)
    photographs = rng.standard_normal(table.X.shape) @ psd_power(within, 0.5)
    X = np.empty(table.X.shape)
    for g, (mean, covariance) in enumerate(zip(groups.means, groups.covariances, strict=True)):
        rows = np.flatnonzero(which == g)
        names, person = np.unique(people[rows], return_inverse=True)
        values, vectors = np.linalg.eigh(covariance - within)
        root = vectors * np.sqrt(np.maximum(values, 0))
        identity = rng.standard_normal((len(names), len(mean))) @ root.T
        X[rows] = mean + identity[person] + photographs[rows]
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)


def within_subjects(X: FloatArray, people: Int64) -> FloatArray:
    """Covariance of rows around the mean of their subject; zero where nobody has two."""
    _, person, counts = np.unique(people, return_inverse=True, return_counts=True)
    means = np.zeros((len(counts), X.shape[1]))
    np.add.at(means, person, X)
    apart = X - (means / counts[:, None])[person]
    return apart.T @ apart / max(int((counts - 1).sum()), 1)


def reference_world(known: EmbeddingTable) -> tuple[Model, Protected]:
    """Return a model of 60 % of the labelled reference, and the other rows as a table."""
    order = np.random.default_rng(0).permutation(len(known))
    fitted, held = np.split(order, [int(_FITTED * len(order))])
    mine = known.take(fitted)
    sensitive = {name: mine.column(name) for name in _REMOVE}
    eraser = RoutedTransport(n_rounds=1, random_state=0)
    model = eraser.fit(mine.vectors, sensitive=sensitive).model_
    others = known.take(held)
    labels: Mapping[str, Int64] = {n: codes(others, n, model.removed[n]) for n in _REMOVE}
    return model, Protected(others.vectors, labels, None)


def main() -> None:
    """Run, one line a world."""
    folder = Path(os.environ["SENSITIVENETS_DATA"])
    print("strength:", " | ".join(map(str, _STRENGTHS)))
    known = read_table(folder / "fairface.parquet").where("split", "fit")
    print("reference:", by_strength(*reference_world(known)), flush=True)
    model, found = tables(folder, _REMOVE)
    for name, table in found.items():
        print(f"{name}, the table:", by_strength(model, table), flush=True)
        world = gaussian_world(model, table)
        print(f"{name}, Gaussian world:", by_strength(model, world), flush=True)


if __name__ == "__main__":
    main()
