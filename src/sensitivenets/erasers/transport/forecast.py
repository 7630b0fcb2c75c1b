"""What an attacker will read from people who were not in the table, from its rows alone."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np

from sensitivenets.erasers.moments.group import Float64, Int64
from sensitivenets.errors import FewRowsWarning
from sensitivenets.maps.routed import Router

# Rows a group, as a multiple of the squared features, at which five points in a hundred are left.
_ENOUGH = 16
# Points of the integral over an attacker's best wrong score.
_GRID = np.linspace(-8.0, 40.0, 4801)


@dataclass(frozen=True)
class Forecast:
    """Rows of each predicted group against what new rows need.

    Attributes
    ----------
    rows : tuple of int
        Of each predicted group.
    needed : int
        16 d^2: an attacker with unlimited labels then reads 55 % of new rows.
    divergence : float
        J, of two groups (or classes) of new rows, in nats, weighted by rows.
    accuracy : float
        Balanced accuracy, in [0, 1], of a Gaussian attacker: Phi(sqrt(J) / 2) for two classes and
        unlimited labels. Nearest neighbours are not in it.
    thin : tuple of int
        Groups of fewer rows than d^2: new rows of them are hardly protected.
    """

    rows: tuple[int, ...]
    needed: int
    divergence: float
    accuracy: float
    thin: tuple[int, ...]

    def record(self) -> dict[str, Any]:
        """Return it as JSON values, for the record of a fit."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Say it in words."""
        said = [
            f"new rows: a Gaussian attacker reads about {100 * self.accuracy:.0f} %; predicted "
            f"groups have {min(self.rows)} to {max(self.rows)} rows, {self.needed} each would "
            "bring an attacker with unlimited labels to 55 %"
        ]
        if self.thin:
            said.append(
                f"{len(self.thin)} of {len(self.rows)} groups have fewer rows than the square of "
                "the features: people embedded later are protected less than the table; adapt "
                "again when it has grown"
            )
        return said


def forecast(
    counts: Int64,
    n_features: int,
    error: Float64 | None = None,
    *,
    noise: Float64 | None = None,
    classes: Int64 | None = None,
    labels: int | None = None,
    purity: float = 1.0,
) -> Forecast:
    """Forecast what is read from new rows, from the rows of each predicted group.

    New rows of group g have, where the groups should be alike, the covariance I + E_g, E_g being
    the error of the moments: E tr E_g^2 = d (d + 1) / n_g. Two groups then are
    J = (|E_g|^2 + |E_h|^2) / 2 apart, in Jeffreys' sense. An attacker who has m labels of a class
    knows E but for d (d + 1) / m of noise of his own, and J becomes J^2 / (J + d (d + 1) / m).

    Parameters
    ----------
    counts : ndarray of shape (groups,)
        Rows of each predicted group.
    n_features : int
        d.
    error : ndarray of shape (groups,), optional
        |E_g|^2 as it was estimated (`LeanedMoments.error`); d (d + 1) / n_g unless given.
    noise : ndarray of shape (groups,), optional
        |E_g|^2 of the rows alone (`LeanedMoments.noise`): how much more than d (d + 1) / n_g it is
        says how dependent rows are, the attacker's too.
    classes : ndarray of shape (groups,), optional
        Class of an attribute that each group belongs to: errors of a class's groups average out.
        Each group is a class unless given.
    labels : int, optional
        Labelled rows that the attacker has in all; unlimited unless given.
    purity : float, default=1.0
        How much of the difference of routes is one of true classes: 2 a - 1 for two classes of
        which the router tells the share a.

    Returns
    -------
    Forecast
        Classes are weighted alike, as balanced accuracy does; groups in a class by their rows.
    """
    d, total = n_features, max(int(counts.sum()), 1)
    independent = d * (d + 1) / np.maximum(counts, 1)
    error = independent if error is None else error
    dependence = np.ones(len(counts)) if noise is None else np.maximum(noise / independent, 1)
    which = np.arange(len(counts)) if classes is None else classes
    names = [c for c in np.unique(which) if counts[which == c].sum()]
    shares = [counts[which == c] / counts[which == c].sum() for c in names]
    errors = np.array([w**2 @ error[which == c] for c, w in zip(names, shares, strict=True)])
    weights = np.array([counts[which == c].sum() / total for c in names])
    even = weights if classes is None else np.full(len(names), 1 / len(names))
    divergence = purity**2 * float(even @ errors)
    seen = divergence
    if labels is not None and divergence > 0:
        own = np.array([w @ dependence[which == c] for c, w in zip(names, shares, strict=True)])
        mistaken = d * (d + 1) * float(even @ (own / np.maximum(labels * weights, 1)))
        seen = divergence**2 / (divergence + mistaken)
    n_classes = 2 if classes is None else len(names)
    return Forecast(
        tuple(int(n) for n in counts),
        _ENOUGH * d * d,
        divergence,
        accuracy_of(seen, n_classes),
        tuple(int(g) for g in np.flatnonzero(counts < d * d)),
    )


def forecast_of_size(n_rows: int, n_groups: int, n_features: int) -> Forecast:
    """Forecast what is read from new rows before anything is fitted: groups of one size.

    Parameters
    ----------
    n_rows : int
        Rows of the table.
    n_groups : int
        Groups: combinations of classes.
    n_features : int
        d.

    Returns
    -------
    Forecast
        For transport of all directions.
    """
    return forecast(np.full(n_groups, max(n_rows // n_groups, 1)), n_features)


def round_record(accuracy: Mapping[str, float], counts: Int64, router: Router) -> dict[str, Any]:
    """Record a round: how well its router did, and what the rows of its groups promise.

    Parameters
    ----------
    accuracy : mapping
        Of the router.
    counts : ndarray of shape (groups,)
        Rows that it sends to each group.
    router : Router
        The router.

    Returns
    -------
    dict
        JSON values.
    """
    promised = forecast(counts, router.means.shape[1])
    return {"router": dict(accuracy), "forecast": promised.record()}


def warn_of_few_rows(curve: Sequence[Mapping[str, Any]]) -> None:
    """Warn where a predicted group of the first round has fewer rows than d^2.

    Warns
    -----
    FewRowsWarning
        Saying how many, and what is left for new rows.
    """
    said = Forecast(**curve[0]["forecast"])
    if said.thin:
        warnings.warn(" ".join(said.lines()), FewRowsWarning, stacklevel=4)


def accuracy_of(divergence: float, n_classes: int = 2) -> float:
    """Return how often the best of classes that are all J apart is found.

    Parameters
    ----------
    divergence : float
        J, in nats.
    n_classes : int, default=2
        Classes.

    Returns
    -------
    float
        Phi(sqrt(J) / 2) for two; chance for J of 0.
    """
    if n_classes == 2:
        return NormalDist().cdf(float(np.sqrt(divergence)) / 2)
    step = np.sqrt(divergence / 2)
    density = np.exp(-((_GRID - step) ** 2) / 2) / np.sqrt(2 * np.pi)
    return float(np.sum(density * _normal_cdf() ** (n_classes - 1)) * (_GRID[1] - _GRID[0]))


@cache
def _normal_cdf() -> Float64:
    return np.array([NormalDist().cdf(float(x)) for x in _GRID])
