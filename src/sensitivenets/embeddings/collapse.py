"""Collapse: how much a representation still says about anything at all."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sensitivenets.embeddings.arrays import FloatArray
from sensitivenets.embeddings.rows import first_occurrences
from sensitivenets.errors import CollapseWarning

# Less than a tenth of the rank or the spread of the input says little about anyone.
_COLLAPSED = 0.1
# Rows that are looked at before and after a map.
_SAMPLE_ROWS = 2000


@dataclass(frozen=True)
class Collapse:
    """How far a set of embeddings is from collapsing to a point or a line.

    Attributes
    ----------
    effective_rank : float
        exp(entropy of the normalised covariance eigenvalues), from 0 (one constant row) to the
        number of features (Roy and Vetterli 2007). Higher is richer.
    rank : int
        Covariance eigenvalues above the rounding error of the data.
    spread : float
        Mean squared distance of the rows, scaled to unit length, to their mean: 0 is a constant,
        1 is as wide as unit rows can be.
    distinct_rows : int
        Rows that differ from every other row in at least one feature, one for each distinct row.
    n_rows : int
        Rows looked at.
    """

    effective_rank: float
    rank: int
    spread: float
    distinct_rows: int
    n_rows: int

    @property
    def is_constant(self) -> bool:
        """Whether all rows are equal up to rounding."""
        return self.rank == 0 or self.distinct_rows == 1


def measure_collapse(X: FloatArray) -> Collapse:
    """Measure rank, spread and distinct rows of embeddings.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Embeddings; one to two thousand rows are enough for a stable effective rank.

    Returns
    -------
    Collapse
        See there.
    """
    rows = np.asarray(X, dtype=np.float64)
    eigenvalues = covariance_spectrum(rows)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(float).tiny)
    return Collapse(
        effective_rank=effective_rank(eigenvalues),
        rank=int(np.count_nonzero(eigenvalues > _rounding(rows, X.dtype))),
        spread=float(np.mean(np.sum((unit - unit.mean(axis=0)) ** 2, axis=1))),
        distinct_rows=len(np.unique(first_occurrences(X))),
        n_rows=len(X),
    )


def warn_of_collapse(X: FloatArray, phi: Callable[[FloatArray], FloatArray]) -> None:
    """Compare rows before and after a map.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Embeddings; about two thousand of them are looked at.
    phi : callable
        The map.

    Warns
    -----
    CollapseWarning
        If nine tenths of the effective rank or of the spread are lost.
    """
    sample = X[:: max(1, len(X) // _SAMPLE_ROWS)]
    old, new = measure_collapse(sample), measure_collapse(phi(sample))
    lost_rank = new.effective_rank < _COLLAPSED * old.effective_rank
    if lost_rank or new.spread < _COLLAPSED * old.spread:
        warnings.warn(
            f"the output has collapsed: effective rank {new.effective_rank:.1f} of "
            f"{old.effective_rank:.1f}, spread {new.spread:.3f} of {old.spread:.3f}; "
            "use a gentler setting (fewer layers or epochs, a smaller adversarial weight)",
            CollapseWarning,
            stacklevel=4,
        )


def covariance_spectrum(X: FloatArray) -> FloatArray:
    """Eigenvalues of the covariance of the rows, descending, never negative; shape (d,)."""
    centred = X - X.mean(axis=0)
    eigenvalues = np.linalg.eigvalsh(centred.T @ centred / len(X))[::-1]
    return np.maximum(eigenvalues, 0)


def effective_rank(eigenvalues: FloatArray) -> float:
    """exp(entropy) of non-negative eigenvalues scaled to sum to one; 0 if all are zero."""
    total = eigenvalues.sum()
    if total <= 0:
        return 0.0
    shares = eigenvalues[eigenvalues > 0] / total
    return float(np.exp(-np.sum(shares * np.log(shares))))


def _rounding(rows: FloatArray, dtype: np.dtype[np.floating]) -> float:
    """Variance along any direction that rounding to `dtype` alone can produce."""
    return float(np.mean(np.sum(rows**2, axis=1)) * np.finfo(dtype).eps ** 2)
