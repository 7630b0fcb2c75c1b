"""The steps of a round of routed transport: a router, the maps of its groups, cells aligned."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.cluster import MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import balanced_accuracy_score

from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.embeddings.rows import row_blocks
from sensitivenets.erasers.moments.group import GroupMoments
from sensitivenets.erasers.transport.gaussian import (
    barycentre,
    moments_of,
    shrink,
    transport_matrices,
    whitening_of,
)
from sensitivenets.errors import InputError
from sensitivenets.maps.affine import Affine
from sensitivenets.maps.base import FittedMap
from sensitivenets.maps.chain import Chain
from sensitivenets.maps.routed import CellShift, Groups, GroupTransport, Router, memberships

# Rows that a group needs: with fewer, its mean alone is anybody's guess.
_MIN_ROWS = 20
# Groups that a message names.
_SHOWN = 6
_SHRINKAGES = (0.03, 0.1, 0.3, 0.6, 0.9)


def require_rows(groups: Labels) -> None:
    """Refuse groups too small to have a mean and a spread.

    Raises
    ------
    InputError
        Naming such groups and their rows.
    """
    small = {name: n for name, n in groups.counts().items() if n < _MIN_ROWS}
    if small:
        listed = ", ".join(f"{name!r} ({n} rows)" for name, n in list(small.items())[:_SHOWN])
        listed += f" and {len(small) - _SHOWN} more" if len(small) > _SHOWN else ""
        raise InputError(
            f"groups {groups.name}: expected at least {_MIN_ROWS} labelled rows in each, found "
            f"{listed}; give more rows, merge these classes, or remove fewer attributes at once"
        )


def route(
    X: FloatArray, labels: Labels, shrinkage: float | None, rng: np.random.Generator
) -> tuple[Router, dict[str, float]]:
    """Fit a router on the labelled rows, its shrinkage chosen on a held-out fifth.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Embeddings.
    labels : Labels
        Group of each row, or unlabelled.
    shrinkage : float, optional
        Used as it is if given.
    rng : numpy.random.Generator
        Draws the held-out rows.

    Returns
    -------
    router : Router
        Fitted on all labelled rows.
    accuracy : dict
        The shrinkage and the held-out balanced accuracy, in [0, 1].
    """
    rows = rng.permutation(np.flatnonzero(labels.labelled))
    held_out, kept = rows[: len(rows) // 5], rows[len(rows) // 5 :]
    codes = labels.codes
    moments = moments_of(X[kept], codes[kept], len(labels.classes))
    return choose_router(moments, X[held_out], codes[held_out], shrinkage)


def choose_router(
    kept: GroupMoments, held_out: FloatArray, codes: Groups, shrinkage: float | None
) -> tuple[Router, dict[str, float]]:
    """Choose the shrinkage on held-out rows, and fit the router on them too.

    Parameters
    ----------
    kept : GroupMoments
        Of the other rows.
    held_out : ndarray of shape (m, d)
        Rows that are not in them.
    codes : ndarray of shape (m,)
        Their groups.
    shrinkage : float, optional
        Used as it is if given.

    Returns
    -------
    router : Router
        Of all rows.
    accuracy : dict
        The shrinkage and the held-out balanced accuracy, in [0, 1].
    """
    everyone = kept.merge(moments_of(held_out, codes, len(kept.counts)))
    tried = {}
    for amount in _SHRINKAGES if shrinkage is None else (shrinkage,):
        predicted = fit_router(kept, amount)(held_out)
        tried[amount] = float(balanced_accuracy_score(codes, predicted))
    best = max(tried, key=lambda amount: tried[amount])
    return fit_router(everyone, best), {"shrinkage": best, "balanced_accuracy": tried[best]}


def fit_transport(
    X: FloatArray, groups: Groups, n_groups: int, shrinkage: float | None = None
) -> GroupTransport:
    """Fit the optimal-transport map of each group to the barycentre of all, equally weighted.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Embeddings.
    groups : ndarray of shape (n,)
        Group of each row, 0 to ``n_groups - 1``.
    n_groups : int
        Groups; one without rows is left where it is.
    shrinkage : float, optional
        Share of the pooled covariance in each group's; from the smallest group unless given.

    Returns
    -------
    GroupTransport
        Frozen.
    """
    return transport_of(moments_of(X, groups, n_groups), shrinkage)


def transport_of(moments: GroupMoments, shrinkage: float | None = None) -> GroupTransport:
    """Fit the same from moments alone: streamed, merged, of any number of rows.

    Parameters
    ----------
    moments : GroupMoments
        Of the groups; one without rows is left where it is, one of fewer rows than features is
        moved by its mean and the pooled covariance of the others.
    shrinkage : float, optional
        Share of the pooled covariance in each group's; from the smallest group (of at least as
        many rows as features, if there is one) unless given.

    Returns
    -------
    GroupTransport
        Frozen.
    """
    n_groups, d = moments.means.shape
    seen: npt.NDArray[np.bool_] = moments.counts > 1
    # A covariance of fewer rows than features has no inverse to speak of: rounding that sends one
    # row elsewhere would move the whole group.
    few = seen & (moments.counts < d)
    many = seen if (few == seen).all() else seen & ~few
    if shrinkage is None:
        shrinkage = d / (d + float(moments.counts[many].min()))
    covariances = moments.covariances
    covariances[few] = moments.scatter[many].sum(axis=0) / moments.counts[many].sum()
    shrunk = shrink(covariances[seen], shrinkage)
    center = moments.means[seen].mean(axis=0)
    matrices = np.repeat(np.eye(d)[None], n_groups, axis=0)
    matrices[seen] = transport_matrices(shrunk, barycentre(shrunk))
    starts = np.where(seen[:, None], moments.means, center)
    offsets = center - np.einsum("gi,gij->gj", starts, matrices)
    return GroupTransport(matrices.astype(np.float32), offsets.astype(np.float32))


def chain_of(parts: Sequence[FittedMap], basis: FloatArray | None) -> Chain:
    """Join the rounds; the first begins with the directions that are kept, if not all are."""
    if basis is None:
        return Chain(tuple(parts))
    # Part of the first round: a part is a round to who takes only some of them.
    first = Chain((Affine(basis, np.zeros_like(basis[0])), parts[0]))
    return Chain((first, *parts[1:]))


def fit_router(moments: GroupMoments, shrinkage: float) -> Router:
    """Make a router from each group's moments.

    Parameters
    ----------
    moments : GroupMoments
        Of rows with known groups; shares of the rows are the priors.
    shrinkage : float
        Share of the pooled covariance in each group's, in (0, 1].

    Returns
    -------
    Router
        Frozen.
    """
    shrunk = shrink(moments.covariances, shrinkage)
    whitening = np.stack([whitening_of(c) for c in shrunk])
    # log det of the whitening is minus half the log det of the covariance.
    offsets = np.log(moments.counts / moments.n_rows) + np.linalg.slogdet(whitening)[1]
    return Router(*(np.asarray(a, dtype=np.float32) for a in (moments.means, whitening, offsets)))


def align_cells(
    X: FloatArray,
    groups: Groups,
    n_groups: int,
    n_cells: int,
    *,
    sharpness: float = 30.0,
    prior_rows: float = 10.0,
    seed: int = 0,
) -> CellShift:
    """Fit the shift of each group in each small region, a cell, to the common mean there.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Unit rows.
    groups : ndarray of shape (n,)
        Group of each row, 0 to ``n_groups - 1``.
    n_groups : int
        Groups.
    n_cells : int
        Cells, centres of k-means; at most the number of rows is used.
    sharpness : float, default=30.0
        Of the soft membership (see `CellShift`): at 30 a cell reaches 0.2 around its centre.
    prior_rows : float, default=10.0
        A group with that many rows in a cell moves half of the way.
    seed : int, default=0
        Of k-means.

    Returns
    -------
    CellShift
        Frozen.
    """
    n_cells = min(n_cells, len(X))
    kmeans = MiniBatchKMeans(n_cells, n_init=1, batch_size=4096, max_iter=20, random_state=seed)
    with warnings.catch_warnings():
        # Coinciding rows give fewer cells than asked, which is fine here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        centers = kmeans.fit(X).cluster_centers_.astype(np.float32)
    sums = np.zeros((n_groups, n_cells, X.shape[1]))
    weights = np.zeros((n_groups, n_cells))
    for part in row_blocks(len(X)):
        block = X[part]
        members = memberships(block, centers, sharpness)
        for g in range(n_groups):
            rows = groups[part] == g
            sums[g] += members[rows].T @ block[rows]
            weights[g] += members[rows].sum(axis=0)
    tiny = np.finfo(np.float64).tiny
    means = sums / np.maximum(weights, tiny)[..., None]
    common = sums.sum(axis=0) / np.maximum(weights.sum(axis=0), tiny)[:, None]
    shifts = (common - means) * (weights / (weights + prior_rows))[..., None]
    return CellShift(centers, shifts.astype(np.float32), np.array([sharpness], dtype=np.float32))
