"""A table's own moments, leaning on the reference as far as they are estimation error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import Codes
from sensitivenets.erasers.moments.group import (
    Float64,
    GroupMoments,
    GroupMomentStream,
    Int64,
    Scatter,
    scatter,
)
from sensitivenets.erasers.transport.gaussian import barycentre, psd_power, transport_matrices
from sensitivenets.erasers.transport.reference_groups import GaussianGroups
from sensitivenets.maps.routed import Groups, GroupTransport

# Rows of a stretch of a table that has no subjects: photographs of a person lie side by side.
_STRETCH = 64


@dataclass(frozen=True)
class HalvedMoments:
    """Moments of the groups in two halves of a table: what they agree on is not noise.

    Attributes
    ----------
    halves : tuple of two GroupMoments
        No subject is in both.
    """

    halves: tuple[GroupMoments, GroupMoments]

    @property
    def whole(self) -> GroupMoments:
        """Moments of all rows."""
        return self.halves[0].merge(self.halves[1])

    def merge(self, other: HalvedMoments) -> HalvedMoments:
        """Moments of the rows of both tables; order does not matter."""
        first, second = (a.merge(b) for a, b in zip(self.halves, other.halves, strict=True))
        return HalvedMoments((first, second))


class HalvedMomentStream:
    """Adds up `HalvedMoments` block by block, in memory of O(groups x d^2).

    Parameters
    ----------
    n_groups : int
        Groups are the codes 0 to `n_groups` - 1; -1 is a row of none.
    n_features : int
        d.
    scatter : callable, optional
        As in `GroupMomentStream`.
    """

    def __init__(self, n_groups: int, n_features: int, scatter: Scatter = scatter) -> None:
        self.n_groups, self.n_features = n_groups, n_features
        self._streams = [GroupMomentStream(n_groups, scatter=scatter) for _ in range(2)]
        self._seen = [False, False]

    def update(self, X: FloatArray, groups: Groups, halves: Int64) -> HalvedMomentStream:
        """Add rows (n, d) with the group of each, and its half: 0 or 1."""
        for half, stream in enumerate(self._streams):
            rows = halves == half
            if rows.any():
                stream.update(X[rows], groups[rows])
                self._seen[half] |= bool((groups[rows] >= 0).any())
        return self

    def moments(self) -> HalvedMoments:
        """Return the moments of all rows so far; a half without rows is empty."""
        g, d = self.n_groups, self.n_features
        empty = GroupMoments(np.zeros(g, np.int64), np.zeros((g, d)), np.zeros((g, d, d)))
        first, second = (
            stream.moments() if seen else empty
            for stream, seen in zip(self._streams, self._seen, strict=True)
        )
        return HalvedMoments((first, second))


def halves_of(numbers: Int64, subjects: Codes | None = None, first_free: int = 0) -> Int64:
    """Say in which half rows are, without a draw: the same for any size of block.

    Parameters
    ----------
    numbers : ndarray of shape (n,), int64
        Of the rows in their table.
    subjects : ndarray of shape (n,), optional
        Code of each row's subject, -1 if unknown; without, stretches of 64 rows alternate.
    first_free : int, default=0
        The first code that no subject of the table has: from there on, rows of nobody known count.

    Returns
    -------
    ndarray of shape (n,), int64
        0 or 1.
    """
    if subjects is None:
        keys = numbers // _STRETCH
    else:
        keys = np.where(subjects < 0, numbers + first_free, subjects)
    # A multiplicative hash: neighbouring codes are not alternately one and the other class.
    mixed = (keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(63)
    return mixed.astype(np.int64)


def carried(reference: GaussianGroups, own: GroupMoments) -> GaussianGroups:
    """Move the reference to a table: its centre and its mean covariance within groups, carried.

    With the table's shares w, the reference's mean covariance within groups, sum_g w_g C_g, is
    carried onto the table's by the symmetric matrix A of optimal transport, and each of its groups
    with it: A C_g A. How the groups *differ* is the reference's, in the table's units.

    Parameters
    ----------
    reference : GaussianGroups
        Groups of the model.
    own : GroupMoments
        Of the table's predicted groups, at least one of two rows.

    Returns
    -------
    GaussianGroups
        With the table's shares.
    """
    shares = own.counts / max(own.n_rows, 1)
    shifted = GaussianGroups(shares, reference.means, reference.covariances)
    within = own.scatter.sum(axis=0) / max(own.n_rows, 1)
    matrix = transport_matrices(shifted.within[None], within)[0]
    means = shares @ own.means + (reference.means - shifted.center) @ matrix
    return GaussianGroups(shares, means, matrix @ reference.covariances @ matrix)


@dataclass(frozen=True)
class LeanedMoments:
    """Moments between a table's own and the reference's.

    Attributes
    ----------
    groups : GaussianGroups
        The moments.
    own : ndarray of shape (groups,), float64
        Share of the table's own covariance in each, in [0, 1].
    own_means : ndarray of shape (groups,), float64
        The same for the means.
    signal, noise : ndarray of shape (groups,), float64
        B and V of each group's covariance (`lean`). V is d (d + 1) / n_g for independent rows, and
        more where subjects have several; of a group of fewer than two rows in a half neither is
        known, and B is the largest of the others', V zero.
    """

    groups: GaussianGroups
    own: Float64
    own_means: Float64
    signal: Float64
    noise: Float64

    @property
    def error(self) -> Float64:
        """Squared error that is left in each group's covariance: own^2 V + (1 - own)^2 B."""
        return np.asarray(self.own**2 * self.noise + (1 - self.own) ** 2 * self.signal)


def lean(moments: HalvedMoments, reference: GaussianGroups, strength: float = 1.0) -> LeanedMoments:
    """Lean each group's own moments on the reference's, by the noise that is in both.

    In the coordinates in which the reference's carried covariance is I, a group's own is I + D.
    Its halves have independent noise: their distance says how much noise, V, is in D, and
    <D_1, D_2> how much is true, B. The carried reference is noisy too, since its mean covariance
    is the table's: by c = sum_h w_h^2 V_h, of which w_g V_g it has in common with group g (w are
    shares). So B is <D_1, D_2> + 2 w_g V_g - c, and the share of D that is kept for least error

        k = (B + c - w_g V_g) / (B + c + V_g - 2 w_g V_g).

    Parameters
    ----------
    moments : HalvedMoments
        Of the table's predicted groups.
    reference : GaussianGroups
        Groups of the model.
    strength : float, default=1.0
        1 - (1 - k) ** strength is kept. Above one the table's own moments are trusted more: rows
        of the table are matched more exactly, up to where they are matched too well and an
        attacker reads the turned sign.

    Returns
    -------
    LeanedMoments
        For a router or for maps; a group of fewer rows than features is mostly the reference's.
    """
    own = moments.whole
    prior = carried(reference, own)
    of_covariances, of_means = _halves(moments, prior)
    kept, kept_means = (1 - (1 - one.kept) ** strength for one in (of_covariances, of_means))
    means = prior.means + kept_means[:, None] * (own.means - prior.means)
    covariances = prior.covariances + kept[:, None, None] * (own.covariances - prior.covariances)
    groups = GaussianGroups(prior.shares, means, covariances)
    noise = np.nan_to_num(of_covariances.noise)
    return LeanedMoments(groups, kept, kept_means, of_covariances.signal, noise)


@dataclass(frozen=True)
class _Halves:
    """How far halves agree on what differs from the reference, and by how much they do not.

    Attributes
    ----------
    agreement, noise : ndarray of shape (groups,)
        <D_1, D_2> and V; not a number for a group of fewer than two rows in a half.
    shares : ndarray of shape (groups,)
        Of the rows.
    """

    agreement: Float64
    noise: Float64
    shares: Float64

    @property
    def common(self) -> Float64:
        """Noise of the carried reference that is the group's own too: w_g V_g."""
        return self.shares * self.noise

    @property
    def carried(self) -> float:
        """Noise of the carried reference: c."""
        return float(np.nansum(self.shares * self.common))

    @property
    def signal(self) -> Float64:
        """B of each group; the largest of the others where it is not known."""
        if np.isnan(self.agreement).all():
            return np.zeros_like(self.agreement)
        signal = np.maximum(self.agreement + 2 * self.common - self.carried, 0)
        return np.where(np.isnan(signal), np.nanmax(signal), signal)

    @property
    def kept(self) -> Float64:
        """Share of each group's difference that is kept for least error: k, in [0, 1]."""
        gained = self.signal + self.carried - self.common
        whole = gained + self.noise - self.common
        share = np.divide(gained, whole, out=np.zeros_like(gained), where=whole > 0)
        return np.asarray(np.clip(np.nan_to_num(share), 0, 1))


def _halves(moments: HalvedMoments, prior: GaussianGroups) -> tuple[_Halves, _Halves]:
    """Compare the halves of the groups' covariances, and of their means."""
    found = np.full((2, 2, len(prior.shares)), np.nan)
    for g in np.flatnonzero(np.min([half.counts for half in moments.halves], axis=0) > 1).tolist():
        excess, shifts = _differences(moments, g, prior)
        weights = np.array([half.counts[g] for half in moments.halves]) / moments.whole.counts[g]
        for number, differences in enumerate((excess, shifts)):
            apart = differences[0] - differences[1]
            # The halves' distance has the noise of both; their weighted mean has this share of it.
            noise = float(np.prod(weights) * np.vdot(apart, apart))
            found[number, :, g] = float(np.vdot(differences[0], differences[1])), noise
    covariances, means = (_Halves(agreement, noise, prior.shares) for agreement, noise in found)
    return covariances, means


def _differences(
    moments: HalvedMoments, g: int, prior: GaussianGroups
) -> tuple[list[Float64], list[Float64]]:
    """Return D of each half of a group, for its covariance and for its mean."""
    whitening = psd_power(prior.covariances[g], -0.5)
    center = moments.whole.means[g]
    excess, shifts = [], []
    for half in moments.halves:
        step = half.means[g] - center
        covariance = half.covariances[g] + np.outer(step, step)
        excess.append(whitening @ covariance @ whitening - np.eye(len(center)))
        shifts.append((half.means[g] - prior.means[g]) @ whitening)
    return excess, shifts


def transport_to_barycentre(groups: GaussianGroups) -> GroupTransport:
    """Return the maps of groups to their barycentre, weighted by their shares.

    Parameters
    ----------
    groups : GaussianGroups
        A group of no share is moved there too: a row of it may come later.

    Returns
    -------
    GroupTransport
        Frozen.
    """
    target = barycentre(groups.covariances, groups.shares)
    matrices = transport_matrices(groups.covariances, target)
    offsets = groups.center - np.einsum("gi,gij->gj", groups.means, matrices)
    return GroupTransport(matrices.astype(np.float32), offsets.astype(np.float32))
