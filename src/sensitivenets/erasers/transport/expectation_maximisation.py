"""Routes of a table without labels: expectation-maximisation from the reference's groups.

References
----------
Celeux and Govaert, A classification EM algorithm for clustering. CSDA 14 (3), 1992.
Saerens, Latinne and Decaestecker, Adjusting the outputs of a classifier to new a priori
probabilities. Neural Computation 14 (1), 2002.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.labels import code_type, first_free
from sensitivenets.embeddings.rows import CHUNK_ROWS, Codes, row_blocks
from sensitivenets.erasers.moments.group import Float64
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
    groups : ndarray of shape (n,)
        Group of each row by it, in the smallest integers. Held in memory while maps are fitted,
        and not kept.
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
    subjects: Codes | None = None,
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
    subjects : ndarray of shape (n_rows,), optional
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
    rows: Passes, router: Router, subjects: Codes | None, products: Products = IN_NUMPY
) -> tuple[Groups, HalvedMoments]:
    """Route all rows, and take the moments of the groups: one pass, or two with subjects.

    Parameters
    ----------
    rows : Passes
        All rows, as the router sees them.
    router : Router
        Its groups.
    subjects : ndarray of shape (n_rows,), optional
        Code of each row's subject; -1 is a row of nobody known.
    products : Products, optional
        Who multiplies; numpy unless given.

    Returns
    -------
    groups : ndarray of shape (n_rows,)
        Of each row, in the smallest integers.
    moments : HalvedMoments
        Of the groups.
    """
    router = products.router(router)
    known: tuple[Codes, ...] = ()
    if subjects is not None:
        known = (shared_routes(rows.over(_Scores(router)), subjects), subjects)
    halved = _Halved(router, products, 0 if subjects is None else first_free(subjects))
    groups: list[Groups] = []
    moments: HalvedMoments | None = None
    for found, own in rows.over(halved, *known):
        groups.append(found)
        moments = own if moments is None else moments.merge(own)
    if moments is None:
        nothing = HalvedMomentStream(*router.means.shape)
        return np.empty(0, dtype=code_type(router.n_groups)), nothing.moments()
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
    first_free: int

    def __call__(
        self, chunks: Chunks, groups: Groups | None = None, subjects: Codes | None = None
    ) -> tuple[Groups, HalvedMoments]:
        n_groups, d = self.router.means.shape
        stream = HalvedMomentStream(n_groups, d, self.products.scatter)
        found, start = [], 0
        for where, X in chunks:
            mine = slice(start, start + len(X))
            start += len(X)
            routes = self.router(X) if groups is None else groups[mine]
            numbers = np.arange(where.start, where.start + len(X))
            whose = None if subjects is None else subjects[mine]
            stream.update(X, routes, halves_of(numbers, whose, self.first_free))
            found.append(routes)
        return np.concatenate(found).astype(code_type(n_groups)), stream.moments()


def shared_routes(scores: Iterable[FloatArray], subjects: Codes) -> Groups:
    """Send all rows of a subject to one group: the most probable by all of them together.

    Parameters
    ----------
    scores : iterable of ndarray of shape (m, groups)
        Log posterior of each group for each row, up to a constant of the row, in the order of the
        rows; each is looked at once, and none is held.
    subjects : ndarray of shape (n,)
        Code of each row's subject; rows of -1 are routed alone.

    Returns
    -------
    ndarray of shape (n,)
        Group of each row, in the smallest integers. A prior is counted once a row, which matters
        little beside the evidence.
    """
    sums, alone, start = None, [], 0
    for some in scores:
        mine = subjects[start : start + len(some)].astype(np.intp)
        start += len(some)
        if sums is None:
            # Behind the last subject: the rows of nobody known.
            sums = np.zeros((some.shape[1], first_free(subjects) + 1))
        for total, column in zip(sums, some.T, strict=True):
            # In the order of the rows; of mixed types numpy would add one by one, and slowly.
            np.add.at(total, mine, column.astype(np.float64))
        alone.append(some.argmax(axis=1).astype(code_type(some.shape[1])))
    if sums is None:
        return np.empty(0, dtype=code_type(1))
    groups = np.concatenate(alone)
    together = sums.argmax(axis=0).astype(groups.dtype)
    for where in row_blocks(len(groups), CHUNK_ROWS):
        known = subjects[where] >= 0
        groups[where][known] = together[subjects[where][known]]
    return groups
