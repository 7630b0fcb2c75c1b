"""Gaussian groups: shrunk covariances, their Wasserstein barycentre, the maps that lead there."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.linalg

from sensitivenets.embeddings import FloatArray
from sensitivenets.erasers.moments.group import GroupMoments, GroupMomentStream

# Steps of the barycentre's fixed point; each is a contraction and a few reach single precision.
_STEPS, _TOLERANCE = 50, 1e-7
# Smallest eigenvalue kept, as a share of the largest: a direction without spread stays as it is.
_FLOOR = 1e-8
# The same for a product of two covariances: a floor above it would fill their narrow directions.
_FLOOR_OF_PRODUCT = _FLOOR**2
# Variance, as a share of the largest, at which a direction counts as empty: in single precision
# what a map leaves there is mostly rounding, and whitening makes it as large as any other.
_EMPTY = 1e-6
# Of unit vectors in double precision: what is smaller says nothing.
_ROUNDING = 1e-14


def psd_power(matrix: FloatArray, power: float, floor: float = _FLOOR) -> npt.NDArray[np.float64]:
    """Raise a symmetric positive semi-definite matrix to a power, with a floor under its spectrum.

    Parameters
    ----------
    matrix : ndarray of shape (d, d)
        Symmetric.
    power : float
        Such as 0.5 or -0.5.
    floor : float, default=1e-8
        Eigenvalues below that share of the largest count as that.

    Returns
    -------
    ndarray of shape (d, d), float64
        The power.
    """
    return _psd_powers(matrix, power, floor=floor)[0]


def _psd_powers(
    matrix: FloatArray, *powers: float, floor: float = _FLOOR
) -> list[npt.NDArray[np.float64]]:
    """Raise one matrix to several powers: the eigenvectors are what takes time."""
    values, vectors = np.linalg.eigh(np.asarray(matrix, dtype=np.float64))
    values = np.maximum(values, max(values[-1] * floor, np.finfo(np.float64).tiny))
    return [np.asarray((vectors * values**power) @ vectors.T) for power in powers]


def whitening_of(covariance: FloatArray) -> npt.NDArray[np.float64]:
    """Whiten rows of a covariance C by an upper triangle: W with W W^T = C^-1.

    Found in half the time of the symmetric root, and half of its work for who multiplies by it.

    Parameters
    ----------
    covariance : ndarray of shape (d, d)
        Symmetric.

    Returns
    -------
    ndarray of shape (d, d), float64
        W; eigenvalues of C below 1e-8 of the largest count as that, as in `psd_power`.
    """
    wide = np.asarray(covariance, dtype=np.float64)
    try:
        factor = scipy.linalg.cholesky(wide, lower=True)
        triangle = scipy.linalg.solve_triangular(factor, np.eye(len(wide)), lower=True).T
    except np.linalg.LinAlgError:
        triangle = np.full_like(wide, np.inf)
    # Frobenius norms bound the largest eigenvalue, and one over the smallest, from above.
    spread = np.linalg.norm(wide) * np.linalg.norm(triangle @ triangle.T)
    if spread <= 1 / _FLOOR:
        return np.asarray(triangle)
    return np.asarray(scipy.linalg.rq(psd_power(wide, -0.5), mode="r"))


def shrink(covariances: FloatArray, amount: float) -> npt.NDArray[np.float64]:
    """Move each group's covariance towards the mean of all groups.

    Parameters
    ----------
    covariances : ndarray of shape (groups, d, d)
        One a group.
    amount : float
        0 leaves them alone, 1 makes them equal.

    Returns
    -------
    ndarray of shape (groups, d, d), float64
        The shrunk covariances.
    """
    pooled = covariances.mean(axis=0)
    return np.asarray((1 - amount) * covariances + amount * pooled, dtype=np.float64)


def barycentre(
    covariances: FloatArray, weights: FloatArray | None = None
) -> npt.NDArray[np.float64]:
    """Find the covariance of least mean squared 2-Wasserstein distance to the groups'.

    Fixed point of Alvarez-Esteban, del Barrio, Cuesta-Albertos and Matran (2016):
    S <- S^-1/2 (mean_g (S^1/2 C_g S^1/2)^1/2)^2 S^-1/2.

    Parameters
    ----------
    covariances : ndarray of shape (groups, d, d)
        One a group, positive definite.
    weights : ndarray of shape (groups,), optional
        Sum to one; groups without weight are left out. All alike unless given.

    Returns
    -------
    ndarray of shape (d, d), float64
        The barycentre; the common value where all agree.
    """
    if weights is None:
        weights = np.full(len(covariances), 1 / len(covariances))
    seen = np.flatnonzero(weights > 0)
    center = np.einsum("g,gij->ij", weights, covariances)
    scale = float(np.trace(center))
    for _ in range(_STEPS):
        root, inverse = _psd_powers(center, 0.5, -0.5)
        mean = sum(weights[g] * _root_of_product(root, covariances[g]) for g in seen)
        following = np.asarray(inverse @ mean @ mean @ inverse)
        moved = float(np.linalg.norm(following - center))
        center = following
        if moved <= _TOLERANCE * scale:
            break
    return np.asarray(center)


def transport_matrices(covariances: FloatArray, target: FloatArray) -> npt.NDArray[np.float64]:
    """Return the optimal-transport matrix of each group: symmetric, T C T = target.

    T = C^-1/2 (C^1/2 target C^1/2)^1/2 C^-1/2, of all maps with that property the one that moves
    rows least.

    Parameters
    ----------
    covariances : ndarray of shape (groups, d, d)
        One a group.
    target : ndarray of shape (d, d)
        Covariance that each should have.

    Returns
    -------
    ndarray of shape (groups, d, d), float64
        One matrix a group.
    """

    def matrix(covariance: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        root, inverse = _psd_powers(covariance, 0.5, -0.5)
        return np.asarray(inverse @ _root_of_product(root, target) @ inverse)

    return np.stack([matrix(covariance) for covariance in covariances])


def _root_of_product(root: FloatArray, covariance: FloatArray) -> npt.NDArray[np.float64]:
    return psd_power(root @ covariance @ root, 0.5, _FLOOR_OF_PRODUCT)


def moments_of(X: FloatArray, groups: npt.NDArray[np.int64], n_groups: int) -> GroupMoments:
    """Return the moments of each group of rows in memory; -1 is a row of none."""
    return GroupMomentStream(n_groups).update(X, groups).moments()


def occupied_directions(everyone: GroupMoments) -> FloatArray | None:
    """Find the directions in which rows vary at all, if there are others.

    Networks may leave directions empty. No group can be moved well there, and the traces of its
    own map that are left tell an attacker who whitens which group it was.

    Parameters
    ----------
    everyone : GroupMoments
        Of all rows, as one group.

    Returns
    -------
    ndarray of shape (d, r), float32, or None
        Orthonormal columns, widest first; None if no direction is empty, or if there are too few
        rows to tell an empty direction from an unseen one.
    """
    covariance = everyone.covariances[0]
    if everyone.n_rows <= len(covariance):
        return None
    values, vectors = np.linalg.eigh(covariance)
    kept = values > _EMPTY * values[-1]
    if kept.all() or not kept.any():
        return None
    return np.asarray(vectors[:, kept][:, ::-1], dtype=np.float32)


def most_directions(rank: int | None, n_rows: int, n_features: int) -> int | None:
    """Return how many directions a round can look at: no more than the rows span.

    Parameters
    ----------
    rank : int, optional
        Directions wanted; all unless given.
    n_rows : int
        Rows in all.
    n_features : int
        d.

    Returns
    -------
    int or None
        At least 1; None for all directions.
    """
    spanned = n_features if n_rows > n_features else max(n_rows - 1, 1)
    most = spanned if rank is None else min(rank, spanned)
    return most if most < n_features else None


def difference_basis(moments: GroupMoments, rank: int) -> FloatArray:
    """Find the directions in which the moments of the groups differ most.

    With rows whitened by the mean covariance of the groups, equal groups have identity
    covariances: the squares of what differs from it, and of the means, are added up over the
    groups, and the leading eigenvectors are taken back to the space of the rows. Directions that
    are empty in all groups are never among them.

    Parameters
    ----------
    moments : GroupMoments
        Of each group; those without rows are left out.
    rank : int
        Directions wanted, at most d.

    Returns
    -------
    ndarray of shape (d, r), float32
        Orthonormal columns: `rank` of them, or as many as there are directions that are not empty.
    """
    seen = moments.counts > 1
    covariances, means = moments.covariances[seen], moments.means[seen]
    off = means - means.mean(axis=0)
    spread = covariances.mean(axis=0)
    if moments.n_rows <= len(spread):
        # Within their groups such rows span too little for the means, which are beside it.
        spread = spread + off.T @ off / len(off)
    values, vectors = np.linalg.eigh(spread)
    kept = values > _EMPTY * values[-1]
    whitening = vectors[:, kept] / np.sqrt(values[kept])
    white_means = off @ whitening
    differences = white_means.T @ white_means
    for covariance in covariances:
        excess = whitening.T @ covariance @ whitening - np.eye(len(differences))
        differences += excess @ excess
    leading = np.linalg.eigh(differences)[1][:, ::-1][:, :rank]
    coloured = (vectors[:, kept] * np.sqrt(values[kept])) @ leading
    basis = np.linalg.qr(coloured)[0]
    # A feature that is zero in all rows stays zero: the rounding here is too small to square in
    # single precision, on which scalers of other libraries divide by zero.
    basis[np.abs(basis) < _ROUNDING] = 0
    return np.asarray(basis, dtype=np.float32)
