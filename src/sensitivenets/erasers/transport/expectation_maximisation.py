"""Routes of a table without labels: expectation-maximisation from the reference's groups.

References
----------
Celeux and Govaert, A classification EM algorithm for clustering. CSDA 14 (3), 1992.
Saerens, Latinne and Decaestecker, Adjusting the outputs of a classifier to new a priori
probabilities. Neural Computation 14 (1), 2002.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import FloatArray
from sensitivenets.erasers.moments.group import Float64, Int64
from sensitivenets.erasers.transport.own_moments import (
    HalvedMoments,
    HalvedMomentStream,
    halves_of,
    lean,
)
from sensitivenets.erasers.transport.passes import Blocks, chunks
from sensitivenets.erasers.transport.reference_groups import GaussianGroups
from sensitivenets.maps.routed import Groups, Router

# Most steps; with subjects each reads the table twice.
_STEPS = 4
# Share of the rows that a step may still move when the routes are called settled.
_SETTLED = 0.01
# Share of the mean covariance in each group's, so that a density of few rows is never flat.
_POOLED = 0.1
# Rows that a group counts for at least when its share is a prior: it may come back.
_PRIOR_ROWS = 1.0


@dataclass(frozen=True)
class Routes:
    """What expectation-maximisation found.

    Attributes
    ----------
    router : Router
        Of the table.
    groups : ndarray of shape (n,), int64
        Group of each row by it. Held in memory while maps are fitted, and not kept.
    moments : HalvedMoments
        Of these groups.
    moved : tuple of float
        Share of the rows whose group each step changed.
    drift : float
        Share of the rows that the reference's router, as it was shipped, sends elsewhere.
    """

    router: Router
    groups: Groups
    moments: HalvedMoments
    moved: tuple[float, ...]
    drift: float


def find_routes(
    blocks: Blocks,
    n_rows: int,
    reference: GaussianGroups,
    *,
    subjects: Int64 | None = None,
    max_steps: int = _STEPS,
) -> Routes:
    """Find the groups of a table's rows, without a label, from where the reference has them.

    Each step sends every row to its most probable group (rows of a subject together, by the sum
    of their log likelihoods), and takes the moments of the groups so found; they lean on the
    reference's by the noise in them (`own_moments.lean`), so that a rare group is not lost to a
    density of noise. It ends when a step moves less than a hundredth of the rows.

    Parameters
    ----------
    blocks : callable
        Returns all rows, in blocks of any size, each time it is called.
    n_rows : int
        Rows in all.
    reference : GaussianGroups
        Where to start, and what rare groups lean on.
    subjects : ndarray of shape (n_rows,), int64, optional
        Code of each row's subject; -1 is a row of nobody known.
    max_steps : int, default=4
        Most steps.

    Returns
    -------
    Routes
        The same for any size of block.
    """
    # Shares of the reference say nothing about the table: all groups alike to begin with.
    shares = np.full(len(reference.shares), 1 / len(reference.shares))
    router = GaussianGroups(
        shares, reference.means, _pooled(reference.covariances, shares)
    ).router()
    shipped, moments = _step(blocks, n_rows, router, subjects)
    groups, moved = shipped, []
    for _ in range(max_steps):
        router = next_router(moments, reference)
        following, moments = _step(blocks, n_rows, router, subjects)
        moved.append(float(np.mean(following != groups)))
        groups = following
        if moved[-1] < _SETTLED:
            break
    return Routes(router, groups, moments, tuple(moved), float(np.mean(groups != shipped)))


def next_router(moments: HalvedMoments, reference: GaussianGroups) -> Router:
    """Make the router of the next step from the groups that the last one found."""
    groups = lean(moments, reference).groups
    counts = moments.whole.counts + _PRIOR_ROWS
    shares = counts / counts.sum()
    return GaussianGroups(shares, groups.means, _pooled(groups.covariances, shares)).router()


def _pooled(covariances: Float64, shares: Float64) -> Float64:
    mean = np.einsum("g,gij->ij", shares, covariances)
    return np.asarray((1 - _POOLED) * covariances + _POOLED * mean)


def _step(
    blocks: Blocks, n_rows: int, router: Router, subjects: Int64 | None
) -> tuple[Groups, HalvedMoments]:
    """Route all rows, and take the moments of the groups: one pass, or two with subjects."""
    groups = np.empty(n_rows, dtype=np.int64)
    keys = None if subjects is None else halving_keys(subjects)
    if subjects is not None:
        scores = np.empty((n_rows, router.n_groups), dtype=np.float32)
        for where, X in chunks(blocks, n_rows):
            scores[where] = router.scores(X)
        groups[:] = shared_routes(scores, subjects)
    stream = HalvedMomentStream(router.n_groups, router.means.shape[1])
    for where, X in chunks(blocks, n_rows):
        if subjects is None:
            groups[where] = router(X)
        known = None if keys is None else keys[where]
        stream.update(X, groups[where], halves_of(where.start, len(X), known))
    return groups, stream.moments()


def shared_routes(scores: FloatArray, subjects: Int64) -> Groups:
    """Send all rows of a subject to one group: the most probable by all of them together.

    Parameters
    ----------
    scores : ndarray of shape (n, groups)
        Log posterior of each group, up to a constant of the row.
    subjects : ndarray of shape (n,), int64
        Code of each row's subject; rows of -1 are routed alone.

    Returns
    -------
    ndarray of shape (n,), int64
        Group of each row. A prior is counted once a row, which matters little beside the evidence.
    """
    groups: npt.NDArray[np.int64] = scores.argmax(axis=1)
    known = subjects >= 0
    if not known.any():
        return groups
    found = subjects[known]
    n_subjects = int(found.max()) + 1
    # One column at a time: bincount adds in the order of the rows, in float64.
    sums = np.stack(
        [np.bincount(found, weights=column, minlength=n_subjects) for column in scores[known].T],
        axis=1,
    )
    groups[known] = sums.argmax(axis=1)[found]
    return groups


def halving_keys(subjects: Int64) -> Int64:
    """Return what decides the half of each row: its subject, or for -1 its own number."""
    own = np.arange(len(subjects)) + int(subjects.max(initial=-1)) + 1
    return np.where(subjects < 0, own, subjects)
