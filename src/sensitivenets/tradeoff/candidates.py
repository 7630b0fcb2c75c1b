"""What a budget may be spent on: rounds of transport, and a code after them."""

from __future__ import annotations

from dataclasses import dataclass

from sensitivenets.codes.universal import CodeParameters
from sensitivenets.embeddings import FloatArray
from sensitivenets.erasers.transport.coded_transport import coded
from sensitivenets.maps.base import FittedMap
from sensitivenets.maps.chain import Chain


@dataclass(frozen=True)
class Candidate:
    """One way to remove the attributes.

    Attributes
    ----------
    n_rounds : int
        Rounds of `erasers.transport.RoutedTransport`.
    n_bits, scale : int, float or None
        The universal code after it; None for no code.
    """

    n_rounds: int
    n_bits: int | None = None
    scale: float | None = None

    def __str__(self) -> str:
        rounds = f"{self.n_rounds} round{'s' if self.n_rounds > 1 else ''}"
        if self.n_bits is None:
            return rounds
        return f"{rounds}, {self.n_bits} bits at scale {self.scale:g}"

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
        transport = Chain(rounds[: self.n_rounds])
        if self.n_bits is None or self.scale is None:
            return transport
        parameters = CodeParameters(transport.n_features_out, self.n_bits, self.scale)
        return coded(transport, X, parameters, seed)


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
