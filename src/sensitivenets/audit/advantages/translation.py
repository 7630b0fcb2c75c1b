"""Unpaired translation: a protected cloud is laid over a raw one, with no pair, label or map.

If "the map is secret" protected anything, whoever has protected templates of strangers and raw
embeddings of other people could not compare the two. This lays the one cloud over the other: both
are cut into clusters, and the clusters are matched by the angles among them (a quadratic
assignment), or principal directions by their long tails; then each row pulls towards its nearest
raw rows, and a rotation is fitted to that, over and over. Attackers trained on raw embeddings read
what comes out. The linear form of Jha et al., "Harnessing the universal geometry of embeddings"
(2025); a cloud left as it is, the naive attacker of ISO/IEC 30136, is one of the starts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment, quadratic_assignment
from scipy.spatial.distance import cdist
from sklearn.cluster import MiniBatchKMeans

from sensitivenets.audit.advantages.rows_on_top import LabelledRows, Tables, with_labels
from sensitivenets.audit.attack import Advantage, Attacker
from sensitivenets.audit.preparations import STANDARDISED, WHITENED
from sensitivenets.audit.results import AFTER
from sensitivenets.audit.tasks import ClassTask
from sensitivenets.embeddings import FloatArray

# More directions than this are noise to a match of clusters, and rows that are enough for one.
_DIRECTIONS = 64
_ROWS = 2000
_CLUSTERS = (4, 8, 12, 16, 24)
_STEPS = 12
_NEIGHBOURS = 5
# Share of the largest deviation below which a direction is empty.
_EMPTY = 1e-6
# Lengths that differ by less than this share are one.
_ONE_LENGTH = 1e-3


def translation(
    tables: Tables, raw: LabelledRows, attackers: tuple[Attacker, ...], random_state: int
) -> tuple[Advantage, ...]:
    """Train attackers on raw rows, and let them read protected ones laid over those.

    Parameters
    ----------
    tables : Tables
        The audited rows. The adversary has the raw training rows with their labels, and the
        protected rows, and does not know which belong together.
    raw : LabelledRows
        More labelled rows before the map; there may be none.
    attackers : tuple of Attacker
        Who is trained.
    random_state : int
        The seed.

    Returns
    -------
    tuple of Advantage
        One; none if all rows of a table are equal. Parameters and sign are chosen on raw rows.
    """
    ours = np.vstack([tables.before[: tables.n_train], raw.vectors.astype(tables.before.dtype)])
    moved = translated(tables.after, ours, random_state)
    if moved is None:
        return ()
    moved = _of_one_length(moved, ours)
    both = np.vstack([tables.before[: tables.n_train], moved[tables.n_train :]])
    prepared = tables.with_rows(both, raw.vectors, (STANDARDISED, WHITENED))

    def trained_on_raw_rows(task: ClassTask) -> ClassTask:
        known, labelled = with_labels(task, raw.codes(task))
        return replace(known, train=np.concatenate([known.train, labelled]))

    return (Advantage("translated", AFTER, prepared, trained_on_raw_rows, attackers),)


def _of_one_length(rows: FloatArray, raw: FloatArray) -> FloatArray:
    """Give rows the length of raw rows, where those have one: else their length is all one sees."""
    lengths = np.linalg.norm(raw, axis=1)
    if np.ptp(lengths) > _ONE_LENGTH * lengths.mean():
        return rows
    own = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)
    return np.asarray(rows * (lengths.mean() / own), dtype=raw.dtype)


def translated(images: FloatArray, raw: FloatArray, random_state: int) -> FloatArray | None:
    """Lay a cloud over another one.

    Parameters
    ----------
    images : ndarray of shape (n, k)
        The cloud to move.
    raw : ndarray of shape (m, d)
        Where to; no row is known to belong to one of `images`.
    random_state : int
        The seed.

    Returns
    -------
    ndarray of shape (n, d), or None
        `images` in the space of `raw`, by the start that ends nearest to raw rows; None if all
        rows of a cloud are equal.
    """
    rng = np.random.default_rng(random_state)
    spaces = [_Space.of(cloud) for cloud in (images, raw)]
    r = min(_DIRECTIONS, *(space.basis.shape[1] for space in spaces))
    if r == 0:
        return None
    here, there = (space.first(r) for space in spaces)
    moved = here.along(images)
    part, aim = (rows[rng.permutation(len(rows))[:_ROWS]] for rows in (moved, there.along(raw)))
    starts = [_by_clusters(part, aim, k, random_state) for k in _CLUSTERS]
    starts.append(_by_skewness(part, aim))
    if images.shape[1] == raw.shape[1]:
        starts.append(_nearest_rotation(here.basis.T @ there.basis))
    refined = [_refined(start, part, aim) for start in starts]
    best = max(refined, key=lambda rotation: _nearness(part @ rotation, aim))
    return np.asarray(there.back(moved @ best), dtype=raw.dtype)


@dataclass(frozen=True)
class _Space:
    """Principal directions of a cloud, the largest first, and its spread."""

    mean: FloatArray
    basis: FloatArray
    spread: float

    @classmethod
    def of(cls, rows: FloatArray) -> _Space:
        mean = rows.mean(axis=0, dtype=np.float64)
        _, singular, basis = np.linalg.svd(rows - mean, full_matrices=False)
        kept = singular > _EMPTY * singular[0]
        return cls(mean, basis[kept].T, float(np.sqrt(np.sum(singular**2) / len(rows))))

    def first(self, r: int) -> _Space:
        return replace(self, basis=self.basis[:, :r])

    def along(self, rows: FloatArray) -> FloatArray:
        """Coordinates along the directions, of unit spread."""
        return np.asarray((rows - self.mean) @ self.basis / self.spread)

    def back(self, coordinates: FloatArray) -> FloatArray:
        return np.asarray((coordinates * self.spread) @ self.basis.T + self.mean)


def _by_skewness(rows: FloatArray, aim: FloatArray) -> FloatArray:
    """Lay each principal direction over that of the same rank, long tail over long tail."""
    return np.diag(np.where(np.sum(rows**3, axis=0) * np.sum(aim**3, axis=0) < 0, -1.0, 1.0))


def _by_clusters(rows: FloatArray, aim: FloatArray, n_clusters: int, seed: int) -> FloatArray:
    """Rotate so that clusters come to lie over those with the same angles among them."""
    n_clusters = min(n_clusters, len(rows) // 4, len(aim) // 4)
    centers = [_centers(cloud, n_clusters, seed) for cloud in (rows, aim)]
    grams = [_cosines(each, each) for each in centers]
    # Clusters that see the others at like angles come first; the assignment mends the rest.
    alike = cdist(*(np.sort(gram, axis=1) for gram in grams))
    start = np.full(alike.shape, 0.5 / n_clusters)
    start[linear_sum_assignment(alike)] += 0.5
    options = {"maximize": True, "P0": start, "rng": np.random.default_rng(seed)}
    found = quadratic_assignment(*grams, options=options)
    return _nearest_rotation(centers[0].T @ centers[1][found.col_ind])


def _centers(rows: FloatArray, n_clusters: int, seed: int) -> FloatArray:
    clusters = MiniBatchKMeans(n_clusters, n_init=3, random_state=seed).fit(rows)
    return np.asarray(clusters.cluster_centers_)


def _refined(rotation: FloatArray, rows: FloatArray, aim: FloatArray) -> FloatArray:
    """Fit a rotation to the nearest raw rows of each row, and again with those nearest then."""
    for _ in range(_STEPS):
        near = np.argpartition(-_cosines(rows @ rotation, aim), _NEIGHBOURS, axis=1)
        pulled = aim[near[:, :_NEIGHBOURS]].mean(axis=1)
        rotation = _nearest_rotation(rows.T @ pulled)
    return rotation


def _nearest_rotation(matrix: FloatArray) -> FloatArray:
    left, _, right = np.linalg.svd(matrix)
    return np.asarray(left @ right)


def _nearness(rows: FloatArray, aim: FloatArray) -> float:
    """Mean cosine of each row with its nearest raw row, in [-1, 1]."""
    return float(_cosines(rows, aim).max(axis=1).mean())


def _cosines(a: FloatArray, b: FloatArray) -> FloatArray:
    a, b = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30) for x in (a, b))
    return np.asarray(a.astype(np.float32) @ b.astype(np.float32).T)
