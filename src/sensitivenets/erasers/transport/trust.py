"""When routes found without labels should not be trusted, in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sensitivenets.erasers.moments.group import GroupMoments
from sensitivenets.erasers.transport.expectation_maximisation import Routes
from sensitivenets.erasers.transport.gaussian import psd_power
from sensitivenets.erasers.transport.reference_groups import GaussianGroups

# FairFace, LFW and CelebA drift by at most 0.09, permuted features by 0.45: set on these alone.
_MOST_DRIFT, _STILL_MOVING = 0.4, 0.05
# Mean absolute log ratio of variances: 0.12 to 0.46 on the same tables, 0.70 permuted.
_MOST_GAP = 0.6


def doubts(routes: Routes, reference: GaussianGroups) -> Iterator[str]:
    """Say why the routes of a table may not be what the reference means by its groups.

    Parameters
    ----------
    routes : Routes
        As found.
    reference : GaussianGroups
        Where they started.

    Yields
    ------
    str
        One reason each; none if nothing speaks against them.
    """
    own = routes.moments.whole
    gone = np.flatnonzero(own.counts < 2)
    if len(gone):
        yield (
            f"groups {gone.tolist()} vanished: no row of the table looks like them; rows of them "
            "that come later are moved by the reference's maps"
        )
    small = np.flatnonzero((own.counts >= 2) & (own.counts < own.means.shape[1]))
    if len(small):
        yield (
            f"groups {small.tolist()} have fewer rows than features: their maps are mostly the "
            "reference's"
        )
    if routes.moved and routes.moved[-1] > _STILL_MOVING:
        yield (
            f"routes have not settled: the last step moved {100 * routes.moved[-1]:.0f} % of the "
            "rows"
        )
    if routes.drift > _MOST_DRIFT:
        yield (
            f"routes drifted: {100 * routes.drift:.0f} % of the rows are in another group than the "
            "reference's router says; label 200 rows and look"
        )
    gap = covariance_gap(own, reference)
    if gap > _MOST_GAP:
        yield (
            "the table is unlike the reference: variances within its groups are "
            f"{np.exp(gap):.1f} times larger or smaller; routes may mean nothing here, use the "
            "reference's maps, or label rows of the table"
        )


def covariance_gap(own: GroupMoments, reference: GaussianGroups) -> float:
    """Say how far the table's covariance within groups is from the reference's, of the same shares.

    Parameters
    ----------
    own : GroupMoments
        Of the predicted groups.
    reference : GaussianGroups
        Of the model.

    Returns
    -------
    float
        Mean absolute logarithm of the ratio of variances, over the directions in which the two
        differ most purely (generalised eigenvectors): 0 if they agree, 0.7 where every direction
        varies twice as much or half as much.
    """
    shares = own.counts / max(own.n_rows, 1)
    theirs = np.einsum("g,gij->ij", shares, reference.covariances)
    whitening = psd_power(theirs, -0.5)
    mine = own.scatter.sum(axis=0) / max(own.n_rows, 1)
    ratios = np.linalg.eigvalsh(whitening @ mine @ whitening)
    # A scale that all directions share says nothing about what the rows are.
    logs = np.log(np.maximum(ratios, np.finfo(np.float64).tiny))
    return float(np.abs(logs - np.median(logs)).mean())
