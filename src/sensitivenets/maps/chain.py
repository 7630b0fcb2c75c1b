"""Fitted maps applied one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import in_row_blocks
from sensitivenets.maps.base import FittedMap, require_features


@dataclass(frozen=True)
class Chain:
    """Maps applied one after the other.

    Attributes
    ----------
    parts : tuple of FittedMap
        At least one; the first is applied first.
    """

    kind: ClassVar[str] = "chain"

    parts: tuple[FittedMap, ...]

    @property
    def n_features_in(self) -> int:
        """Features of an input embedding."""
        return self.parts[0].n_features_in

    @property
    def n_features_out(self) -> int:
        """Features of an output embedding."""
        return self.parts[-1].n_features_out

    def __call__(self, X: FloatArray) -> FloatArray:
        """Map (n, d) to (n, k), keeping the type of `X`."""
        require_features(X, self.n_features_in)
        out = np.empty((len(X), self.n_features_out), dtype=X.dtype)
        in_row_blocks(self._write, X, out)
        return out

    def _write(self, X: FloatArray, out: FloatArray) -> None:
        for part in self.parts:
            X = part(X)
        out[:] = X

    def flat(self) -> list[FittedMap]:
        """Return the parts, those of chains within it among them."""
        found: list[FittedMap] = []
        for part in self.parts:
            found += part.flat() if isinstance(part, Chain) else [part]
        return found

    def arrays(self) -> dict[str, FloatArray]:
        """Return the arrays of all parts; a name says position, kind and array."""
        return {
            f"{k}.{part.kind}.{name}": array
            for k, part in enumerate(self.parts)
            for name, array in part.arrays().items()
        }
