"""Bands of age, and rows between two of them that take a part of both maps (docs/continuous.md).

    SENSITIVENETS_DATA=data OMP_NUM_THREADS=1 python experiments/continuous_between_bands.py

The age of a row that is mapped is not known, so it is the router's posterior over bands that mixes
the maps: of the best band and its neighbours, the log posteriors divided by a temperature, the
moments by these shares or by the best band. Fitted on 12 000 rows of FairFace `fit`, read on other
rows of it (6 000 to learn from, 3 000 to read): nothing here has seen the attack rows.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
from continuous import _AGES, readers
from sklearn.metrics import r2_score

from sensitivenets.embeddings import FloatArray, Labels, read_table
from sensitivenets.embeddings.number_bands import band_edges
from sensitivenets.erasers.moments.group import GroupMoments
from sensitivenets.erasers.transport.steps import route, transport_of
from sensitivenets.maps.routed import GroupTransport, Router
from sensitivenets.tradeoff.measure import accuracy_of_pairs
from sensitivenets.verification.drawn_pairs import draw_pairs

_ROUNDS = 3


def shares_of(router: Router, X: FloatArray, temperature: float) -> FloatArray:
    """Share of each band in a row: of the best and its neighbours, or at zero the best alone."""
    scores = router.scores(X).astype(np.float64)
    best = scores.argmax(axis=1)[:, None]
    far = np.abs(np.arange(router.n_groups) - best) > (1 if temperature else 0)
    scores = np.where(far, -np.inf, scores / (temperature or 1.0))
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def moments_by(shares: FloatArray, X: FloatArray) -> GroupMoments:
    """Moments of bands in which rows have shares."""
    counts = shares.sum(axis=0)
    means = (shares.T @ X) / counts[:, None]
    steps = X[None] - means[:, None]
    scatter = np.einsum("gn,gni,gnj->gij", shares.T, steps, steps, optimize=True)
    return GroupMoments(counts.astype(np.int64), means, scatter)


def moved(X: FloatArray, shares: FloatArray, maps: GroupTransport) -> FloatArray:
    """Mix the maps of the bands by the shares, and normalise."""
    mixed = sum(
        share[:, None] * (X @ matrix + offset)
        for share, matrix, offset in zip(shares.T, maps.matrices, maps.offsets, strict=True)
    )
    return np.asarray(mixed / np.linalg.norm(mixed, axis=1, keepdims=True), dtype=np.float32)


def main() -> None:
    """Print a line for each way."""
    warnings.simplefilter("ignore")
    folder = Path(os.environ["SENSITIVENETS_DATA"])
    table = read_table(folder / "fairface.parquet").where("split", "fit")
    lfw = read_table(folder / "lfw.parquet")
    age = np.array([_AGES[one] for one in table.column("age").to_pylist()], dtype=np.float64)
    order = np.random.default_rng(0).permutation(len(table))
    fitted, train, test = order[:12_000], order[12_000:18_000], order[18_000:21_000]
    pairs = draw_pairs(lfw.identities("subject"), 6000, 1, random_state=0)
    edges = band_edges(age[fitted])
    # In the order of age, so that neighbouring numbers are neighbouring bands.
    codes = np.clip(np.searchsorted(edges, age[fitted], side="right") - 1, 0, len(edges) - 2)
    bands = Labels("age", codes, tuple(map(str, range(len(edges) - 1))))
    for temperature, softly in ((0, False), (1, False), (1, True), (3, False), (3, True)):
        rng = np.random.default_rng(0)
        rows = [table.vectors[fitted], table.vectors, lfw.vectors]
        for _ in range(_ROUNDS):
            router, _ = route(rows[0], bands, None, rng)
            by = shares_of(router, rows[0], temperature if softly else 0)
            maps = transport_of(moments_by(by, rows[0].astype(np.float64)))
            rows = [moved(X, shares_of(router, X, temperature), maps) for X in rows]
        _, Z, faces = rows
        read = {
            name: r2_score(age[test], one.fit(Z[train], age[train]).predict(Z[test]))
            for name, one in readers().items()
        }
        said = ", ".join(f"{name} {value:.3f}" for name, value in read.items())
        how = f"temperature {temperature}, moments by {'shares' if softly else 'best band'}"
        print(f"{how}: {said}; LFW {100 * accuracy_of_pairs(faces, pairs):.2f}", flush=True)


if __name__ == "__main__":
    main()
