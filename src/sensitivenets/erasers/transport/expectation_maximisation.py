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
from sensitivenets.erasers.transport.passes import IN_NUMPY, Chunks, Passes, Products
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
    rows: Passes,
    reference: GaussianGroups,
    *,
    subjects: Int64 | None = None,
    max_steps: int = _STEPS,
    products: Products = IN_NUMPY,
) -> Routes:
    """Find the groups of a table's rows, without a label, from where the reference has them.

    Each step sends every row to its most probable group (rows of a subject together, by the sum
    of their log likelihoods), and takes the moments of the groups so found; they lean on the
    reference's by the noise in them (`own_moments.lean`), so that a rare group is not lost to a
    density of noise. It ends when a step moves less than a hundredth of the rows.

    Parameters
    ----------
    rows : Passes
        All rows.
    reference : GaussianGroups
        Where to start, and what rare groups lean on.
    subjects : ndarray of shape (n_rows,), int64, optional
        Code of each row's subject; -1 is a row of nobody known.
    max_steps : int, default=4
        Most steps.
    products : Products, optional
        Who multiplies; numpy unless given.

    Returns
    -------
    Routes
        The same, however the rows are cut and wherever they are gone through.
    """
    # Shares of the reference say nothing about the table: all groups alike to begin with.
    shares = np.full(len(reference.shares), 1 / len(reference.shares))
    router = GaussianGroups(
        shares, reference.means, _pooled(reference.covariances, shares)
    ).router()
    shipped, moments = take_step(rows, router, subjects, products)
    groups, moved = shipped, []
    for _ in range(max_steps):
        router = next_router(moments, reference)
        following, moments = take_step(rows, router, subjects, products)
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


def take_step(
    rows: Passes, router: Router, subjects: Int64 | None, products: Products = IN_NUMPY
) -> tuple[Groups, HalvedMoments]:
    """Route all rows, and take the moments of the groups: one pass, or two with subjects.

    Parameters
    ----------
    rows : Passes
        All rows, as the router sees them.
    router : Router
        Its groups.
    subjects : ndarray of shape (n_rows,), int64, optional
        Code of each row's subject; -1 is a row of nobody known.
    products : Products, optional
        Who multiplies; numpy unless given.

    Returns
    -------
    groups : ndarray of shape (n_rows,), int64
        Of each row.
    moments : HalvedMoments
        Of the groups.
    """
    router = products.router(router)
    known: tuple[Int64, ...] = ()
    if subjects is not None:
        scores = np.concatenate(list(rows.over(_Scores(router))))
        known = (shared_routes(scores, subjects), halving_keys(subjects))
    groups: list[Groups] = []
    moments: HalvedMoments | None = None
    for found, own in rows.over(_Halved(router, products), *known):
        groups.append(found)
        moments = own if moments is None else moments.merge(own)
    if moments is None:
        nothing = HalvedMomentStream(*router.means.shape)
        return np.empty(0, dtype=np.int64), nothing.moments()
    return np.concatenate(groups), moments


@dataclass(frozen=True)
class _Scores:
    """Scores the rows of a stretch: their log posteriors, up to a constant of the row."""

    router: Router

    def __call__(self, chunks: Chunks) -> FloatArray:
        return np.concatenate([self.router.scores(X) for _, X in chunks]).astype(np.float32)


@dataclass(frozen=True)
class _Halved:
    """Takes the groups of the rows of a stretch, and the moments of both halves of them."""

    router: Router
    products: Products

    def __call__(
        self, chunks: Chunks, groups: Groups | None = None, keys: Int64 | None = None
    ) -> tuple[Groups, HalvedMoments]:
        n_groups, d = self.router.means.shape
        stream = HalvedMomentStream(n_groups, d, self.products.scatter)
        found, start = [], 0
        for where, X in chunks:
            mine = slice(start, start + len(X))
            start += len(X)
            routes = self.router(X) if groups is None else groups[mine]
            halves = halves_of(where.start, len(X), None if keys is None else keys[mine])
            stream.update(X, routes, halves)
            found.append(routes)
        return np.concatenate(found), stream.moments()


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
