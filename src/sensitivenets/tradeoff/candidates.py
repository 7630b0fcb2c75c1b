"""What a budget may be spent on: means or groups moved, in so many directions, and a code."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sensitivenets.codes.universal import CodeParameters
from sensitivenets.embeddings import FloatArray
from sensitivenets.erasers.transport.coded_transport import coded
from sensitivenets.maps.base import FittedMap
from sensitivenets.maps.chain import Chain

# Directions in which groups differ most; more cost more, and fewer hide less.
_RANKS = (16, 32, 64)
# Bits and scale of the codes that hid most for a cent of verification (docs/codes.md).
_CODES = ((2048, 1.75), (1024, 1.5))


@dataclass(frozen=True)
class Candidate:
    """One way to remove the attributes.

    Attributes
    ----------
    n_rounds : int, default=1
        Rounds of `erasers.transport.RoutedTransport`.
    n_bits, scale : int, float or None
        The universal code after it; None for no code.
    rank : int, optional
        Directions that are moved, those in which the groups differ most; all unless given.
    n_components : int, optional
        Principal components of all rows that are kept before anything else; all unless given.
    means_only : bool, default=False
        Whether only the means of the groups are made alike (`erasers.linear.leace.LEACE`), which
        few rows are enough for, and not their covariances.
    """

    n_rounds: int = 1
    n_bits: int | None = None
    scale: float | None = None
    rank: int | None = None
    n_components: int | None = None
    means_only: bool = False

    @property
    def is_rounds(self) -> bool:
        """Whether it is rounds of whole transport, with or without a code, and nothing else."""
        return self.rank is None and self.n_components is None and not self.means_only

    def __str__(self) -> str:
        rounds = f"{self.n_rounds} round{'s' if self.n_rounds > 1 else ''}"
        parts = [] if self.n_components is None else [f"{self.n_components} components"]
        parts.append("means only" if self.means_only else rounds)
        if self.rank is not None:
            parts.append(f"rank {self.rank}")
        if self.n_bits is not None:
            parts.append(f"{self.n_bits} bits at scale {self.scale:g}")
        return ", ".join(parts)

    def map(self, rounds: tuple[FittedMap, ...], X: FloatArray, seed: int) -> FittedMap:
        """Join the first rounds and the code.

        Parameters
        ----------
        rounds : tuple of FittedMap
            A fitted transport, at least as many rounds as this takes.
        X : ndarray of shape (n, d)
            The rows that it was fitted on: a code is centred on what becomes of them.
        seed : int
            Seed of the public code.
        """
        return self.behind(Chain(rounds[: self.n_rounds]), X, seed)

    def behind(self, moved: FittedMap, X: FloatArray, seed: int) -> FittedMap:
        """Put the code, if there is one, behind a map; parameters are those of `map`."""
        if self.n_bits is None or self.scale is None:
            return moved
        return coded(moved, X, CodeParameters(moved.n_features_out, self.n_bits, self.scale), seed)


#: From what costs least to what hides most, as it was on 128 features of faces.
CANDIDATES = (
    Candidate(1),
    Candidate(2),
    Candidate(3),
    Candidate(6),
    Candidate(3, 2048, 1.5),
    Candidate(3, 1024, 1.2),
    Candidate(3, 2048, 1.75),
    Candidate(3, 1024, 1.5),
    Candidate(3, 512, 1.5),
    Candidate(3, 512, 1.75),
    Candidate(3, 512, 2.0),
)


def candidates_for(n_features: int, rows_of_a_group: int) -> tuple[Candidate, ...]:
    """List what is worth trying on a table without labels, whatever its rows are of.

    Parameters
    ----------
    n_features : int
        d.
    rows_of_a_group : int
        Rows of the table for each group: no more components are kept than a group has rows, since
        its covariance in more directions is noise.

    Returns
    -------
    tuple of Candidate
        In all directions, and in the three largest powers of two of components that are allowed:
        means only, transport of a few directions, transport of all.
    """
    most = min(rows_of_a_group, n_features // 2)
    sizes = [2**k for k in range(4, 16) if 2**k <= most]
    found: list[Candidate] = []
    for kept in (None, *sizes[:-4:-1]):
        found.append(Candidate(n_components=kept, means_only=True))
        found += [
            Candidate(rank=rank, n_components=kept)
            for rank in _RANKS
            if rank < (n_features if kept is None else kept)
        ]
        found.append(Candidate(n_components=kept))
    return tuple(found)


def with_codes(candidate: Candidate) -> tuple[Candidate, ...]:
    """Put each of two codes behind a candidate: the weaker first."""
    return tuple(replace(candidate, n_bits=bits, scale=scale) for bits, scale in _CODES)
