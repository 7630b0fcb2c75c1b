"""What a fit of routed transport costs, said before it begins: it grows with d cubed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sensitivenets.erasers.transport.gaussian import most_directions

# Of a matrix of that size a machine's speed is read, in milliseconds.
_SIZE = 384
# Steps that a barycentre takes on most tables; narrow directions take more.
_STEPS = 6
# Shrinkages that a router is fitted with, the chosen one once more, and how much of the
# eigenvectors of one matrix each whitening costs.
_ROUTERS, _WHITENING = 6, 0.6
# Three products beside the eigenvectors that a root takes, in the same measure.
_ROOT = 1.6
# Products of d x d that a row costs beside those with each group: moments twice, and its own map.
_OWN_PRODUCTS = 2
# A fifth of the labelled rows is scored by all routers, and all rows by the last.
_SCORED = 1 + _ROUTERS / 5
# Rows are gathered, centred and added up beside their products.
_BESIDE = 2
# Directions that are advised where all would take long.
_ADVISED = 64
# A table that takes seconds on any machine: trying this one would take longer.
_SMALL, _FEW = 128, 100_000


@dataclass(frozen=True)
class FitSize:
    """What the costs of a fit depend on.

    Attributes
    ----------
    n_rows, n_features : int
        Of the table.
    n_groups : int
        Groups that are made alike.
    n_rounds : int
        Rounds.
    rank : int, optional
        Directions that a round looks at; all unless given.
    """

    n_rows: int
    n_features: int
    n_groups: int
    n_rounds: int
    rank: int | None = None

    def seconds(self) -> float:
        """Return about how much processor time the products take here: the machine is tried.

        Returns
        -------
        float
            Seconds, reading not among them; within a factor of three.
        """
        d, most = self.n_features, most_directions(self.rank, self.n_rows, self.n_features)
        r = most or d
        barycentre = _STEPS * (self.n_groups + 1) * _ROOT
        maps = self.n_groups * (1 + _ROOT)
        eigenvectors = r**3 * (barycentre + maps + _ROUTERS * _WHITENING * self.n_groups)
        if most is not None:
            # The directions themselves are found among all.
            eigenvectors += d**3 * (1 + self.n_groups * _ROOT / 4)
        per_row = _OWN_PRODUCTS * d * d + (1 + _SCORED * self.n_groups / 2) * r * r
        cubes, products = _speeds()
        once = eigenvectors / cubes + _BESIDE * self.n_rows * per_row / products
        return self.n_rounds * once

    def lines(self, longest: float, *, advise_rank: bool = True) -> list[str]:
        """Say what it costs, and what would cost less, where that is much.

        Parameters
        ----------
        longest : float
            Seconds of processor time that need no word.
        advise_rank : bool, default=True
            Whether a rank can be given.

        Returns
        -------
        list of str
            Sentences; none of a small fit.
        """
        if self.n_features <= _SMALL and self.n_rows <= _FEW:
            return []
        expected = self.seconds()
        if expected <= longest:
            return []
        said = [
            f"about {_spoken(expected)} of processor time beside reading: "
            f"n_rounds={self.n_rounds}, {self.n_groups} groups, {self.n_rows} rows of "
            f"{self.n_features} features"
        ]
        if advise_rank and (self.rank or self.n_features) > _ADVISED:
            less = replace(self, rank=_ADVISED).seconds()
            said.append(
                f"rank={_ADVISED} takes about {_spoken(less)}; attackers read a little more"
            )
        return said


def _speeds() -> tuple[float, float]:
    """Return d^3 of eigenvectors a second, and multiplications of single precision a second."""
    rng = np.random.default_rng(0)
    wide = rng.standard_normal((_SIZE, _SIZE))
    symmetric, rows = wide + wide.T, wide.astype(np.float32)
    cubed = float(_SIZE**3)
    return cubed / _seconds(lambda: np.linalg.eigh(symmetric)), cubed / _seconds(
        lambda: rows @ rows
    )


def _seconds(work: Callable[[], object]) -> float:
    """Return the least of three times, of processors, which other programs hardly change."""
    found = []
    for _ in range(3):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return max(min(found), 1e-6)


def _spoken(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"
