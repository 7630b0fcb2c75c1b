"""A fitted model: the map, and the record of how it came to be."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

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


def fingerprint(X: FloatArray) -> dict[str, Any]:
    """Identify a set of embeddings without keeping it.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Embeddings as they were given to a fit.

    Returns
    -------
    dict
        ``rows``, ``features`` and the ``sha256`` of the values in row order.
    """
    digest = hashlib.sha256(np.ascontiguousarray(X).data)
    return {"rows": X.shape[0], "features": X.shape[1], "sha256": digest.hexdigest()}


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
