"""The Gaussian groups of the reference, read back from the router of a fitted model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sensitivenets.erasers.moments.group import Float64
from sensitivenets.erasers.transport.gaussian import psd_power, whitening_of
from sensitivenets.errors import InputError
from sensitivenets.maps.routed import Router


@dataclass(frozen=True)
class GaussianGroups:
    """Shares, means and covariances of groups.

    Attributes
    ----------
    shares : ndarray of shape (groups,), float64
        Of the rows; sum to one.
    means : ndarray of shape (groups, d), float64
        Mean of each group.
    covariances : ndarray of shape (groups, d, d), float64
        Covariance of each group.
    """

    shares: Float64
    means: Float64
    covariances: Float64

    @property
    def center(self) -> Float64:
        """Mean of all rows, shape (d,)."""
        return np.asarray(self.shares @ self.means)

    @property
    def within(self) -> Float64:
        """Mean of the covariances by share, shape (d, d)."""
        return np.asarray(np.einsum("g,gij->ij", self.shares, self.covariances))

    @property
    def total(self) -> Float64:
        """Covariance of all rows, shape (d, d)."""
        steps = self.means - self.center
        return np.asarray(self.within + np.einsum("g,gi,gj->ij", self.shares, steps, steps))

    def router(self) -> Router:
        """Return the discriminant of these groups."""
        whitening = np.stack([whitening_of(c) for c in self.covariances])
        with np.errstate(divide="ignore"):
            offsets = np.log(self.shares) + np.linalg.slogdet(whitening)[1]
        # A group that vanished takes no row; minus infinity would not survive being saved.
        offsets = np.maximum(offsets, np.finfo(np.float32).min / 4)
        return Router(*(np.asarray(a, np.float32) for a in (self.means, whitening, offsets)))


def reference_groups(router: Router, shrinkage: float = 0.0) -> GaussianGroups:
    """Read the groups back from a router: nothing else of the reference is needed.

    The router holds each group's mean, a whitening of its shrunk covariance, and its log
    prior plus log determinant. Shrinking leaves the mean of the covariances alone, so it is
    undone exactly (to single precision).

    Parameters
    ----------
    router : Router
        Of a model's first round.
    shrinkage : float, default=0.0
        That it was fitted with, as the model's curve records it, below 1.

    Returns
    -------
    GaussianGroups
        The reference.

    Raises
    ------
    InputError
        If the shrinkage leaves nothing of the groups' own covariances.
    """
    if not 0 <= shrinkage < 1:
        raise InputError(f"router shrinkage: expected at least 0 and below 1, found {shrinkage}")
    whitening = router.whitening.astype(np.float64)
    shrunk = np.stack([psd_power(w @ w.T, -1.0) for w in whitening])
    pooled = shrunk.mean(axis=0)
    covariances = (shrunk - shrinkage * pooled) / (1 - shrinkage)
    log_shares = router.offsets - np.linalg.slogdet(whitening)[1]
    shares = np.exp(log_shares - log_shares.max())
    return GaussianGroups(shares / shares.sum(), router.means.astype(np.float64), covariances)
