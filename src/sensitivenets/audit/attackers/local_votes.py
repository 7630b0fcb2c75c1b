"""Attackers that let labelled rows nearby vote: nearest neighbours, a gallery, and decision trees.

Osorio-Roig et al., "An attack on facial soft-biometric privacy enhancement" (TBIOM 2022): templates
that classifiers could not read gave gender away to a comparison with a small labelled gallery.
Whoever keeps the comparison scores useful keeps this attack useful too.

In a tree the rows of one leaf vote. It splits single features at a threshold: any increasing change
of a feature leaves it alone, so raw rows equal standardised ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestNeighbors

from sensitivenets.audit.attack import Attacker
from sensitivenets.audit.preparations import BITS, L2, RAW, STANDARDISED, WHITENED
from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import row_blocks

# Rows to attack that join a graph at once, and steps that labels walk along it.
_JOINED_ROWS = 10_000
_STEPS = 100
_NAME = "nearest neighbours"


def nearest_neighbours() -> Attacker:
    """Vote of the nearest training rows, for classes."""
    candidates = tuple(({"k": k}, NearestRows(k)) for k in (1, 5, 25, 75))
    return Attacker(_NAME, candidates, corrects_prior=True, cost=2)


def neighbour_regression() -> Attacker:
    """Mean of the nearest training rows, for numbers."""
    candidates = tuple(({"k": k}, NearestValues(k)) for k in (5, 25, 75))
    return Attacker(_NAME, candidates, (STANDARDISED, WHITENED))


class NearestRows(KNeighborsClassifier):
    """Vote of the k nearest training rows, or of all where there are fewer.

    Parameters
    ----------
    k : int
        Neighbours.
    """

    def __init__(self, k: int = 5) -> None:
        self.k = k
        super().__init__(k)

    def fit(self, X: FloatArray, y: npt.NDArray[np.int64]) -> NearestRows:
        """Keep rows of shape (n, d) with class codes of shape (n,)."""
        self.n_neighbors = min(self.k, len(X))
        super().fit(X, y)
        return self


class NearestValues(KNeighborsRegressor):
    """Mean of the k nearest training rows, or of all where there are fewer.

    Parameters
    ----------
    k : int
        Neighbours.
    """

    def __init__(self, k: int = 5) -> None:
        self.k = k
        super().__init__(k)

    def fit(self, X: FloatArray, y: FloatArray) -> NearestValues:
        """Keep rows of shape (n, d) with values of shape (n,)."""
        self.n_neighbors = min(self.k, len(X))
        super().fit(X, y)
        return self


def gallery_vote() -> Attacker:
    """Comparison scores with a small labelled gallery (see `GalleryVote`), for classes."""
    candidates = tuple(({"votes": k, "per_class": 150}, GalleryVote(150, k)) for k in (1, 9, 49))
    # Cosine scores divide the norm out: raw rows equal l2.
    return Attacker("gallery vote", candidates, (L2, STANDARDISED, WHITENED), n_seeds=3)


class GalleryVote(ClassifierMixin, BaseEstimator):
    """Cosine comparison with a small balanced gallery; the best matches vote.

    Parameters
    ----------
    per_class : int
        Gallery rows of each class, drawn at random.
    n_votes : int
        Best matches that vote.
    random_state : int
        Decides the gallery.
    """

    def __init__(self, per_class: int = 150, n_votes: int = 5, random_state: int = 0) -> None:
        self.per_class = per_class
        self.n_votes = n_votes
        self.random_state = random_state

    def fit(self, X: FloatArray, y: npt.NDArray[np.int64]) -> GalleryVote:
        """Draw the gallery.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Embeddings.
        y : ndarray of shape (n,)
            Class codes.

        Returns
        -------
        GalleryVote
            Itself.
        """
        rng = np.random.default_rng(self.random_state)
        self.classes_ = np.unique(y)
        drawn = [rng.permutation(np.flatnonzero(y == c))[: self.per_class] for c in self.classes_]
        rows = np.concatenate(drawn)
        self._gallery = _unit(X[rows])
        self._votes = (y[rows][:, None] == self.classes_).astype(X.dtype)
        # A class with fewer gallery rows must not lose for that.
        self._votes *= self._votes.sum(axis=0).max() / self._votes.sum(axis=0)
        return self

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """Share of the votes of each class, ties broken by the mean score; shape (n, classes)."""
        k = min(self.n_votes, len(self._gallery))
        shares = [self._vote(X[rows], k) for rows in row_blocks(len(X))]
        return np.vstack(shares)

    def predict(self, X: FloatArray) -> npt.NDArray[np.int64]:
        """Class with most votes."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]  # type: ignore[no-any-return]

    def _vote(self, X: FloatArray, k: int) -> FloatArray:
        scores = _unit(X) @ self._gallery.T
        best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        # Scores lie in [-1, 1]; a thousandth of them never outweighs a vote.
        weight = 1 + 1e-3 * np.take_along_axis(scores, best, axis=1)
        votes = np.einsum("nk,nkc->nc", weight, self._votes[best])
        return votes / votes.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]


def _unit(rows: FloatArray) -> FloatArray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)


_NOT_SCALES = (L2, STANDARDISED, WHITENED)
_BOOSTING = "histogram gradient boosting"


def histogram_gradient_boosting() -> Attacker:
    """Boosted trees on binned features, for classes."""
    trees = HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.15,
        max_leaf_nodes=15,
        max_bins=63,
        early_stopping=False,
    )
    return Attacker(
        _BOOSTING,
        (({"max_iter": 60, "max_leaf_nodes": 15}, trees),),
        _NOT_SCALES,
        sees_coordinates=True,
        corrects_prior=True,
        cost=5,
    )


def boosted_regression() -> Attacker:
    """Boosted trees on binned features, for numbers."""
    trees = HistGradientBoostingRegressor(max_iter=80, max_leaf_nodes=15, early_stopping=False)
    return Attacker(
        _BOOSTING,
        (({"max_iter": 80, "max_leaf_nodes": 15}, trees),),
        (STANDARDISED, WHITENED),
        sees_coordinates=True,
        cost=4,
    )


def random_forest(name: str = "random forest") -> Attacker:
    """Bagged trees, for classes."""
    trees = RandomForestClassifier(100, min_samples_leaf=5, max_samples=0.3)
    return Attacker(
        name,
        (({"n_estimators": 100, "min_samples_leaf": 5}, trees),),
        _NOT_SCALES,
        sees_coordinates=True,
        corrects_prior=True,
        cost=3,
    )


def label_spreading() -> Attacker:
    """Labels that walk from row to row, attacked rows included (see `LabelSpreader`)."""
    candidates = tuple(({"alpha": a}, LabelSpreader(a)) for a in (0.5, 0.9, 0.99))
    shown = (RAW, L2, STANDARDISED, WHITENED)
    return Attacker("label spreading", candidates, shown, max_rows=15_000, cost=3)


class LabelSpreader(ClassifierMixin, BaseEstimator):
    """Labels spread along the graph of nearest neighbours, over rows without a label as well.

    Whoever has many rows to attack and few labels learns from the shape of the cloud: Zhou et al.,
    "Learning with local and global consistency" (NeurIPS 2003). Each class spreads the same mass.

    Parameters
    ----------
    alpha : float
        Share of its label that a row takes from its neighbours, in (0, 1).
    n_neighbours : int
        Neighbours of each row.
    """

    def __init__(self, alpha: float = 0.9, n_neighbours: int = 15) -> None:
        self.alpha = alpha
        self.n_neighbours = n_neighbours

    def fit(self, X: FloatArray, y: npt.NDArray[np.int64]) -> LabelSpreader:
        """Keep rows of shape (n, d) with class codes of shape (n,)."""
        self.classes_ = np.unique(y)
        self._rows = X
        marked = (y[:, None] == self.classes_).astype(np.float64)
        self._marked = marked / marked.sum(axis=0)
        return self

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """Share of each class in what reaches a row, shape (n, classes), rows of X joined in."""
        shares = [self._spread(X[i : i + _JOINED_ROWS]) for i in range(0, len(X), _JOINED_ROWS)]
        return np.vstack(shares)

    def predict(self, X: FloatArray) -> npt.NDArray[np.int64]:
        """Class that reaches a row most."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]  # type: ignore[no-any-return]

    def _spread(self, X: FloatArray) -> FloatArray:
        steps = _walk(np.vstack([self._rows, X]), self.n_neighbours)
        given = np.vstack([self._marked, np.zeros((len(X), len(self.classes_)))])
        reached = given
        for _ in range(_STEPS):
            reached = self.alpha * (steps @ reached) + (1 - self.alpha) * given
        reached = (reached / reached.sum(axis=0))[len(self._rows) :]
        total = reached.sum(axis=1, keepdims=True)
        return np.where(total > 0, reached / np.where(total > 0, total, 1), 1 / len(self.classes_))


def _walk(rows: FloatArray, n_neighbours: int) -> Any:
    """Similarities of neighbours, symmetric and normalised by both ends: a sparse matrix."""
    nearest = NearestNeighbors(n_neighbors=min(n_neighbours, len(rows) - 1)).fit(rows)
    graph = nearest.kneighbors_graph(mode="distance")
    graph.data = np.exp(-0.5 * graph.data**2 / max(float(np.median(graph.data)) ** 2, 1e-30))
    graph = graph.maximum(graph.T)
    ends = sparse.diags_array(1 / np.sqrt(np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1e-30)))
    return (ends @ graph @ ends).tocsr()


def number_reader() -> Attacker:
    """Digits instead of values: low bits, signs of zero, grids, copies; linear or by trees."""
    linear = LogisticRegression(C=0.01, max_iter=300, class_weight="balanced")
    trees = HistGradientBoostingClassifier(
        max_iter=40, max_leaf_nodes=7, max_bins=15, early_stopping=False, class_weight="balanced"
    )
    candidates = (({"model": "linear", "C": 0.01}, linear), ({"model": "trees"}, trees))
    return Attacker("number reader", candidates, (BITS,), sees_coordinates=True, cost=4)


def row_number_reader() -> Attacker:
    """Vote of the nearest rows of the table: what the order of the rows tells."""
    return Attacker("row number", (({"k": 5}, NearestRows(5)),), corrects_prior=True)
