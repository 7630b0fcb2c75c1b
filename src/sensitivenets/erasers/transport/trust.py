"""When routes found without labels should not be trusted, in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sensitivenets.erasers.transport.expectation_maximisation import Routes

# FairFace, LFW and CelebA drift by at most 0.09, permuted features by 0.45: set on these alone.
_MOST_DRIFT, _STILL_MOVING = 0.4, 0.05


def doubts(routes: Routes, gained: float) -> Iterator[str]:
    """Say why the routes of a table may not be what the reference means by its groups.

    Parameters
    ----------
    routes : Routes
        As found.
    gained : float
        The `evidence.evidence` for groups like the reference's, in nats a row.

    Yields
    ------
    str
        One reason each; none if nothing speaks against them.
    """
    own = routes.moments.whole
    if gained < 0:
        yield (
            "the table is unlike the reference: the reference's groups explain its rows no better "
            f"than turned at random ({gained:.2f} nats a row); routes mean nothing here"
        )
    if gained == 0:
        yield "the table is too small to tell whether it has groups like the reference's"
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
