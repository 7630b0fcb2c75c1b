"""Naive Bayes with a decision that does not depend on the group: Calders and Verwer 2010."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from sensitivenets.embeddings import FloatArray
from sensitivenets.errors import InputError
from sensitivenets.fairness.results import Flags

Float64 = npt.NDArray[np.float64]

# Calders and Verwer move one hundredth of a cell at a time.
_STEP = 0.01
# Of a feature's variance over all rows: a constant feature of a class has some, too.
_LEAST_VARIANCE = 1e-6


@dataclass(frozen=True)
class IndependentGaussians:
    """Densities in which every feature is Gaussian and independent of the others, one a class.

    Attributes
    ----------
    means, variances : ndarray of shape (k, d)
        A row for each of k classes.
    """

    means: Float64
    variances: Float64

    @classmethod
    def fit(cls, X: FloatArray, weights: Float64) -> IndependentGaussians:
        """Estimate from rows that belong to k classes with weights of shape (n, k)."""
        rows = np.asarray(X, dtype=np.float64)
        shares = weights / weights.sum(axis=0)
        means = shares.T @ rows
        variances = shares.T @ rows**2 - means**2
        floor = _LEAST_VARIANCE * rows.var(axis=0) + np.finfo(np.float64).tiny
        return cls(means, np.maximum(variances, floor))

    def log_densities(self, X: FloatArray) -> Float64:
        """Return log p(x | class) of shape (n, k), without a constant common to all classes."""
        rows, precision = np.asarray(X, dtype=np.float64), 1 / self.variances
        squares = rows**2 @ precision.T - 2 * rows @ (precision * self.means).T
        constant = (precision * self.means**2 + np.log(self.variances)).sum(axis=1)
        return np.asarray(-0.5 * (squares + constant))


def count_cells(positive: Flags, favoured: Flags) -> Float64:
    """Count rows by outcome (no, yes) and group (other, favoured), as a 2 x 2 array.

    Raises
    ------
    InputError
        If a cell is empty, so that nothing can be learned of it.
    """
    counts = np.zeros((2, 2))
    np.add.at(counts, (positive.astype(int), favoured.astype(int)), 1)
    if not counts.all():
        raise InputError(
            "expected rows of both outcomes in both groups, found "
            f"{counts.astype(int).tolist()} (outcome by group); give rows of all four"
        )
    return counts


class BalancedNaiveBayes(BaseEstimator):
    """Base: naive Bayes whose P(outcome | group) is moved until both groups are chosen alike."""

    asks_group: ClassVar[bool] = True

    def fit(self, X: FloatArray, positive: Flags, favoured: Flags) -> Self:
        """Estimate the densities, then balance the decisions (Algorithm 1).

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
        self._learn(X, positive, favoured)
        evidence = self._log_odds(X, favoured)
        self.counts_ = balance(counts, evidence, favoured, int(positive.sum()))
        return self

    def predict(self, X: FloatArray, favoured: Flags) -> Flags:
        """Decide for the likelier outcome, given embedding and group."""
        return _chosen(self.counts_, self._log_odds(X, favoured), favoured)

    @abstractmethod
    def _learn(self, X: FloatArray, positive: Flags, favoured: Flags) -> None:
        """Estimate the densities of the features."""

    @abstractmethod
    def _log_odds(self, X: FloatArray, favoured: Flags) -> Float64:
        """Return log p(x | yes, ...) - log p(x | no, ...) of each row."""


class ModifiedNaiveBayes(BalancedNaiveBayes):
    """Modified naive Bayes: one model of the features, P(outcome | group) moved until it is fair.

    P(C, S, A) = P(S) P(C | S) prod_i P(A_i | C), with Gaussian A_i, as embeddings are continuous
    (the original has discrete features). Decisions that differ between groups through the features
    themselves can be balanced on average only.

    References
    ----------
    Calders and Verwer, Three naive Bayes approaches for discrimination-free classification, Data
    Mining and Knowledge Discovery 21, 2010, section 4.1.
    """

    def _learn(self, X: FloatArray, positive: Flags, favoured: Flags) -> None:
        del favoured
        self.densities_ = IndependentGaussians.fit(X, np.eye(2)[positive.astype(int)])

    def _log_odds(self, X: FloatArray, favoured: Flags) -> Float64:
        del favoured
        return np.asarray(np.diff(self.densities_.log_densities(X), axis=1)[:, 0])


class TwoNaiveBayes(BalancedNaiveBayes):
    """Two naive Bayes: a model of the features for each group, balanced like the modified one.

    P(C, S, A) = P(S) P(C | S) prod_i P(A_i | C, S), with Gaussian A_i: no feature's meaning in one
    group is taken from the other.

    References
    ----------
    Calders and Verwer, Three naive Bayes approaches for discrimination-free classification, Data
    Mining and Knowledge Discovery 21, 2010, section 4.2.
    """

    def _learn(self, X: FloatArray, positive: Flags, favoured: Flags) -> None:
        cell = 2 * favoured.astype(int) + positive
        self.densities_ = IndependentGaussians.fit(X, np.eye(4)[cell])

    def _log_odds(self, X: FloatArray, favoured: Flags) -> Float64:
        return log_odds_within_group(self.densities_, X, favoured)


def log_odds_within_group(
    densities: IndependentGaussians, X: FloatArray, favoured: Flags
) -> Float64:
    """Return log p(x | yes, group) - log p(x | no, group), of (other, favoured) x (no, yes)."""
    logs = densities.log_densities(X).reshape(len(X), 2, 2)
    odds = logs[:, :, 1] - logs[:, :, 0]
    return np.asarray(odds[np.arange(len(X)), favoured.astype(int)])


def balance(counts: Float64, log_odds: Float64, favoured: Flags, n_positive: int) -> Float64:
    """Move the counts behind P(outcome | group) until both groups are chosen alike.

    Algorithm 1 of Calders and Verwer: while the favoured group is chosen more often, positives of
    the other group are added if fewer rows are chosen than are positive, else positives of the
    favoured group are taken away; a step that would make a count negative is not taken, and ends
    the search.

    Parameters
    ----------
    counts : ndarray of shape (2, 2)
        Rows by outcome (no, yes) and group (other, favoured).
    log_odds : ndarray of shape (n,)
        Evidence of each row for the positive outcome.
    favoured : ndarray of shape (n,), bool
        Group of each row.
    n_positive : int
        Rows that are positive.

    Returns
    -------
    ndarray of shape (2, 2)
        The counts after the last step.
    """
    counts = counts.copy()
    while True:
        chosen = _chosen(counts, log_odds, favoured)
        if chosen[favoured].mean() <= chosen[~favoured].mean():
            return counts
        moved = counts.copy()
        if chosen.sum() < n_positive:
            moved[:, 0] += _STEP * counts[0, 1] * np.array([-1, 1])
        else:
            moved[:, 1] += _STEP * counts[1, 0] * np.array([1, -1])
        if moved.min() <= 0:
            return counts
        counts = moved


def _chosen(counts: Float64, log_odds: Float64, favoured: Flags) -> Flags:
    prior = np.log(counts[1] / counts[0])
    return np.asarray(log_odds + prior[favoured.astype(int)] > 0)
