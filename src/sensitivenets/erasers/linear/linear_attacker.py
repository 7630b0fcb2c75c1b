"""The linear attacker that INLP and R-LACE work against."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from sensitivenets.embeddings import FloatArray
from sensitivenets.erasers.moments.group import Int64
from sensitivenets.errors import InputError


def linear_attacker(C: float) -> LogisticRegression:
    """Make a logistic regression in which every class weighs the same.

    Parameters
    ----------
    C : float
        Inverse of its regularisation, for rows from `centred_rows`.
    """
    return LogisticRegression(C=C, class_weight="balanced", max_iter=200, warm_start=True)


def fit_quietly(attacker: LogisticRegression, X: FloatArray, codes: Int64) -> LogisticRegression:
    """Fit; that it has not quite converged is no matter, since its accuracy is measured."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return attacker.fit(X, codes)


def centred_rows(X: FloatArray) -> tuple[FloatArray, npt.NDArray[np.float64]]:
    """Return a copy of `X` with mean zero and a mean variance of one, and the mean.

    One factor for all features: directions mean the same as in `X`, and regularisation does not
    depend on its scale.

    Raises
    ------
    InputError
        If all rows are equal.
    """
    mean = X.mean(axis=0, dtype=np.float64)
    rows = X - mean.astype(X.dtype)
    scale = float(np.sqrt(np.mean(np.square(rows, dtype=np.float64))))
    if scale == 0:
        raise InputError(f"X: expected rows that differ, found {len(X)} equal ones")
    rows /= scale
    return rows, mean


def held_out(codes: Int64, share: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Draw the given share of the rows of each class, shape (n,); at least one of two."""
    mask = np.zeros(len(codes), dtype=bool)
    for code in np.unique(codes):
        rows = rng.permutation(np.flatnonzero(codes == code))
        mask[rows[: max(round(share * len(rows)), min(1, len(rows) - 1))]] = True
    return mask
