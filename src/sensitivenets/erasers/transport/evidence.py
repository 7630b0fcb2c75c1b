"""Has a table groups like the reference's at all? The reference's groups against turned ones."""

from __future__ import annotations

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.erasers.moments.group import Float64, GroupMoments, Int64
from sensitivenets.erasers.transport.gaussian import psd_power, transport_matrices
from sensitivenets.erasers.transport.own_moments import HalvedMoments
from sensitivenets.erasers.transport.reference_groups import GaussianGroups

# Turned groups: that the best of nine explains less in both halves happens to a table without
# groups once in a hundred times.
_TURNS = 9
# Rows of a half, in features, below which its covariance is too rough to judge by.
_ENOUGH = 4


def evidence(
    sample: FloatArray, halves: Int64, moments: HalvedMoments, reference: GaussianGroups
) -> float:
    """Say how much better the reference's groups explain a table than the same groups turned.

    Groups that expectation-maximisation finds always explain the rows they were found in, so it is
    the *reference's* that are judged: carried to the mean and covariance of one half of the table,
    they are fitted in nothing but shares, and explain the rows of the other half. Turned at random
    where both are white they are as large, as noisy and as many, and mean nothing.

    Parameters
    ----------
    sample : ndarray of shape (m, d)
        Rows of the table.
    halves : ndarray of shape (m,), int64
        The half that each is in.
    moments : HalvedMoments
        Of the predicted groups.
    reference : GaussianGroups
        Groups of the model.

    Returns
    -------
    float
        Log likelihood by which they explain more than the best of the turned, in nats a row, in
        the half where it is less. Above zero there are groups like the reference's; below, none
        to be seen; zero where the table is too small to tell.
    """
    d = sample.shape[1]
    rng = np.random.default_rng(0)
    turns = [np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(_TURNS)]
    gained = []
    for half, own in enumerate(moments.halves):
        rows = sample[halves != half]
        if own.n_rows < _ENOUGH * d or not len(rows):
            return 0.0
        groups, white = _side_by_side(reference, own, rows)
        turned = [_log_likelihood(groups, white @ turn) for turn in turns]
        gained.append(_log_likelihood(groups, white) - max(turned))
    return float(min(gained))


def _side_by_side(
    reference: GaussianGroups, own: GroupMoments, rows: FloatArray
) -> tuple[GaussianGroups, Float64]:
    """Return the reference's groups carried to a table, and rows, where the table is white."""
    shares = own.counts / own.n_rows
    theirs = GaussianGroups(shares, reference.means, reference.covariances)
    mine = GaussianGroups(shares, own.means, own.covariances)
    whitening = psd_power(mine.total, -0.5)
    carrying = transport_matrices(theirs.total[None], mine.total)[0] @ whitening
    groups = GaussianGroups(
        shares,
        (theirs.means - theirs.center) @ carrying,
        carrying.T @ theirs.covariances @ carrying,
    )
    return groups, (rows - mine.center) @ whitening


def _log_likelihood(groups: GaussianGroups, rows: Float64) -> float:
    """Return the mean log density of rows, up to a constant."""
    scores = groups.router().scores(rows.astype(np.float32)).astype(np.float64)
    return float(np.logaddexp.reduce(scores, axis=1).mean())
