"""Naive Bayes with a latent label: what the outcome was before somebody discriminated."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator

from sensitivenets.embeddings import FloatArray
from sensitivenets.fairness.naive_bayes import (
    Float64,
    IndependentGaussians,
    count_cells,
    log_odds_within_group,
)
from sensitivenets.fairness.results import Flags

_TOLERANCE = 1e-4


class LatentLabel(BaseEstimator):
    """Latent variable naive Bayes: expectation-maximisation finds the labels behind biased ones.

    P(C, S, L, A) = P(L) P(S) P(C | L, S) prod_i P(A_i | L, S), with Gaussian A_i. L is the fair
    label: independent of the group, as frequent as the outcome is. Discrimination only turns fair
    positives of the other group into negatives, and fair negatives of the favoured group into
    positives, at random; P(C | L, S) follows from that and is not estimated. The decision is L.

    Parameters
    ----------
    max_iter : int, default=100
        Steps of expectation-maximisation at most.

    Attributes
    ----------
    n_iter_ : int
        Steps taken.
    fair_positive_ : ndarray of shape (n,)
        P(L = yes | C, S, A) of each row it learned from.

    References
    ----------
    Calders and Verwer, Three naive Bayes approaches for discrimination-free classification, Data
    Mining and Knowledge Discovery 21, 2010, section 4.3.
    """

    asks_group: ClassVar[bool] = True

    def __init__(self, max_iter: int = 100) -> None:
        self.max_iter = max_iter

    def fit(self, X: FloatArray, positive: Flags, favoured: Flags) -> Self:
        """Find the latent labels and the densities of the features given them.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Embeddings.
        positive, favoured : ndarray of shape (n,), bool
            Outcome and group of each row.

        Returns
        -------
        Self

        Raises
        ------
        InputError
            If a group lacks an outcome.
        """
        counts = count_cells(positive, favoured)
        share = float(positive.mean())
        self.log_prior_odds_ = float(np.log(share / (1 - share)))
        of_row = _prior_log_odds(counts, share)[positive.astype(int), favoured.astype(int)]
        fair = _sigmoid(of_row)
        for n_iter in range(1, self.max_iter + 1):
            self.n_iter_ = n_iter
            self.densities_ = IndependentGaussians.fit(X, _weights(fair, favoured))
            last = fair
            fair = _sigmoid(of_row + log_odds_within_group(self.densities_, X, favoured))
            if np.abs(fair - last).mean() < _TOLERANCE:
                break
        self.fair_positive_ = fair
        return self

    def predict(self, X: FloatArray, favoured: Flags) -> Flags:
        """Decide for the likelier fair label, given embedding and group."""
        odds = log_odds_within_group(self.densities_, X, favoured) + self.log_prior_odds_
        return np.asarray(odds > 0)


def _prior_log_odds(counts: Float64, share: float) -> Float64:
    """Log odds of a fair positive by outcome and group, before the features are looked at.

    Infinite where the outcome leaves no doubt: nobody discriminates against the favoured group.
    """
    rate = counts[1] / counts.sum(axis=0)  # P(yes | other), P(yes | favoured)
    raised = max(rate[1] - share, 0.0) / (1 - share)  # P(C = yes | L = no, favoured)
    lowered = max(share - rate[0], 0.0) / share  # P(C = no | L = yes, other)
    with np.errstate(divide="ignore"):
        refused = np.log(share * lowered / (1 - share))
        admitted = np.log(share) - np.log((1 - share) * raised)
    return np.array([[refused, -np.inf], [np.inf, admitted]])


def _weights(fair: Float64, favoured: Flags) -> Float64:
    """Share of each row in (other, favoured) x (no, yes)."""
    of_label = np.stack([1 - fair, fair], axis=1)
    of_group = np.stack([~favoured, favoured], axis=1).astype(np.float64)
    return np.asarray((of_group[:, :, None] * of_label[:, None, :]).reshape(len(fair), 4))


def _sigmoid(log_odds: Float64) -> Float64:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * log_odds)))
