"""Attackers that compare with labelled rows: nearest neighbours, and the vote of a gallery.

Osorio-Roig et al., "An attack on facial soft-biometric privacy enhancement" (TBIOM 2022): templates
that classifiers could not read gave gender away to a comparison with a small labelled gallery.
Whoever keeps the comparison scores useful keeps this attack useful too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from sensitivenets.audit.attack import Attacker
from sensitivenets.audit.preparations import L2, STANDARDISED, WHITENED
from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import row_blocks

_NAME = "nearest neighbours"


def nearest_neighbours() -> Attacker:
    """Vote of the nearest training rows, for classes."""
    candidates = tuple(({"k": k}, KNeighborsClassifier(k)) for k in (1, 5, 25, 75))
    return Attacker(_NAME, candidates, corrects_prior=True, cost=2)


def neighbour_regression() -> Attacker:
    """Mean of the nearest training rows, for numbers."""
    candidates = tuple(({"k": k}, KNeighborsRegressor(k)) for k in (5, 25, 75))
    return Attacker(_NAME, candidates, (STANDARDISED, WHITENED))


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
