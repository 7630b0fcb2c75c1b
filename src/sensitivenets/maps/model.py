"""A fitted model: the map, and the record of how it came to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sensitivenets.maps.base import FittedMap


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
        The training data: rows, features, a digest of the embeddings, by data set.
    curve : tuple of mapping
        The training curve, one record an epoch.
    """

    map: FittedMap
    method: str
    parameters: Mapping[str, Any]
    removed: Mapping[str, tuple[str, ...]]
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    curve: tuple[Mapping[str, Any], ...] = ()


def json_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return estimator parameters as JSON values; a generator object becomes its text."""
    plain = (bool, int, float, str, type(None))
    return {
        name: value
        if isinstance(value, plain)
        else dict(value)
        if isinstance(value, Mapping)
        else repr(value)
        for name, value in parameters.items()
    }
