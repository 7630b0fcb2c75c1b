"""A choice of features: what eliminating erasers leave behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import FloatArray
from sensitivenets.errors import InputError
from sensitivenets.maps.base import DeclaredMap, Shapes, require_features


@dataclass(frozen=True, repr=False)
class FeatureSelection(DeclaredMap):
    """x -> x[kept]: some features of a row, as they are.

    Attributes
    ----------
    kept : ndarray of shape (d,), bool
        Which features stay; at least one.
    """

    kind: ClassVar[str] = "columns"
    shapes: ClassVar[Shapes] = {"kept": "d"}

    kept: npt.NDArray[np.bool_]

    @property
    def n_features_out(self) -> int:
        """Features of an output embedding."""
        return int(np.count_nonzero(self.kept))

    def __call__(self, X: FloatArray) -> FloatArray:
        """Map (n, d) to (n, k), keeping the type of `X`."""
        require_features(X, self.n_features_in)
        return X[:, self.kept]

    def arrays(self) -> dict[str, FloatArray]:
        """Return the arrays to save, by name: 1 for a feature that stays, 0 for another."""
        return {"kept": self.kept.astype(np.float32)}

    @classmethod
    def _of(cls, arrays: Mapping[str, FloatArray]) -> FeatureSelection:
        kept = arrays["kept"]
        if not np.isin(kept, (0, 1)).all() or not kept.any():
            raise InputError(
                f"columns: expected kept of zeros and ones, not all zero; found {kept!r}"
            )
        return cls(kept == 1)
