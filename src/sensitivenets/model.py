"""A fitted model: the map, and the record of how it came to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from sensitivenets.embeddings import FloatArray


class FittedMap(Protocol):
    """A frozen map from embeddings to embeddings: arrays only, applied with numpy alone."""

    kind: ClassVar[str]

    @property
    def n_features_in(self) -> int:
        """Features of an input embedding."""
        ...

    @property
    def n_features_out(self) -> int:
        """Features of an output embedding."""
        ...

    def __call__(self, X: FloatArray) -> FloatArray:
        """Map (n, d) to (n, k), keeping the type of `X`."""
        ...

    def arrays(self) -> dict[str, FloatArray]:
        """Return the arrays to save, by name."""
        ...


@dataclass(frozen=True)
class Model:
    """What a fit leaves behind, and what a model folder holds.

    Attributes
    ----------
    map : FittedMap
        Maps embeddings to agnostic embeddings.
    method : str
        Name of the estimator class, such as ``"SensitiveNet"``.
    parameters : mapping
        The estimator's parameters, as JSON values.
    removed : mapping of str to tuple of str
        Each attribute to be removed, with its classes.
    fingerprint : mapping
        The training data: rows, features, SHA-256 of the embeddings, by data set.
    curve : tuple of mapping
        The training curve, one record an epoch.
    """

    map: FittedMap
    method: str
    parameters: Mapping[str, Any]
    removed: Mapping[str, tuple[str, ...]]
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    curve: tuple[Mapping[str, Any], ...] = ()
