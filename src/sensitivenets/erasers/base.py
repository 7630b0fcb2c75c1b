"""The one contract of every eraser: fit on embeddings and attributes, leave a frozen map."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sensitivenets.embeddings import (
    FloatArray,
    Labels,
    as_plain,
    as_vectors,
    check_vectors,
    encode,
)
from sensitivenets.embeddings.fingerprint import Hashing, other_cores
from sensitivenets.embeddings.labels import aligned, encode_attributes, row_index
from sensitivenets.embeddings.rows import normalise_rows
from sensitivenets.errors import DetectorWarning, InputError
from sensitivenets.maps.affine import LowRankEdit
from sensitivenets.maps.base import FittedMap, Model, json_parameters


@dataclass(frozen=True)
class FitData:
    """What a method learns from, checked and encoded.

    Attributes
    ----------
    X : ndarray of shape (n, d), float32
        D-P: the embeddings, as they were given.
    target : Labels or None
        Identity or class of each row of `X`, which is to be kept.
    X_sensitive : ndarray of shape (m, d), float32
        D-S: the embeddings that `attributes` belong to; `X` itself unless another set was given.
    attributes : dict of str to Labels
        The attributes to remove, if any; a row may be unlabelled.
    seed : int
        Decides everything random.
    """

    X: FloatArray
    target: Labels | None
    X_sensitive: FloatArray
    attributes: dict[str, Labels]
    seed: int

    def require_target(self, method: str, kept: str = "identity or class") -> Labels:
        """Return the labels to keep, or say that `method` expects the `kept` of each row.

        Raises
        ------
        InputError
            If none were given, or only one class.
        """
        if self.target is None:
            raise InputError(
                f"requires y to be passed, but the target y is None: {method} expects the {kept} "
                "of each row"
            )
        return self.target.require_two_classes()


@dataclass(frozen=True)
class Learned:
    """What a method leaves behind.

    Attributes
    ----------
    map : FittedMap
        Frozen.
    curve : tuple of mapping
        The curve of its training, if it has one.
    fingerprint : mapping
        What else identifies the data it learned from, beside the rows that `fit` was given.
    """

    map: FittedMap
    curve: tuple[Mapping[str, Any], ...] = ()
    fingerprint: Mapping[str, Any] = field(default_factory=dict)


def unchanged(n_features: int) -> Learned:
    """Return what is learned where there is nothing to remove."""
    nothing = np.zeros((n_features, 0), dtype=np.float32)
    return Learned(LowRankEdit(read=nothing, offset=nothing[0], write=nothing.T))


class Eraser(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC):
    """Base of the estimators that remove attributes; a method implements `_learn`."""

    model_: Model
    random_state: int | np.random.RandomState | None

    def fit(
        self,
        X: npt.ArrayLike,
        y: Any = None,
        *,
        sensitive: Any = None,
        detector: tuple[npt.ArrayLike, Any] | None = None,
    ) -> Self:
        """Learn a map that removes attributes.

        Parameters
        ----------
        X : array-like of shape (n, d)
            D-P: embeddings, in any form that `as_vectors` reads.
        y : array-like of shape (n,), optional
            Identity of each row, or its class: what is to be kept. Null is unlabelled.
        sensitive : mapping, data frame or array-like, optional
            Attributes to remove, by name, for the rows of `X`; null is unlabelled.
        detector : tuple (X, sensitive), optional
            D-S: other embeddings from the same network with their attributes. Given instead of
            `sensitive`.

        Where both `X` and the labels have a pandas index, they are matched by it: equal indexes go
        by position; else both must hold the same keys, each once, or the fit is refused.

        Returns
        -------
        Self
            Itself.

        Raises
        ------
        InputError
            If a parameter, the data, or their combination cannot be used.

        Warns
        -----
        DetectorWarning
            If no attribute is given: the map then changes nothing.
        """
        index = row_index(X)
        vectors: FloatArray = validate_data(
            self, as_plain(X, "X"), dtype=np.float32, ensure_min_samples=2
        )
        target = encode_target(y, len(vectors), index)
        attributes, X_sensitive = detector_set(vectors, sensitive, detector, index)
        seed = int(check_random_state(self.random_state).randint(2**31))
        data = FitData(vectors, target, X_sensitive, attributes, seed)
        sets = {"primary": vectors} | ({} if detector is None else {"detector": X_sensitive})
        # Hashing all rows takes as long as a closed-form fit: the two run side by side.
        with other_cores() as pool:
            hashing = {name: Hashing(rows, pool) for name, rows in sets.items()}
            learned = self._learn(data)
            found = {name: one.result().to_dict() for name, one in hashing.items()}
        self.model_ = Model(
            map=learned.map,
            method=type(self).__name__,
            parameters=json_parameters(self.get_params()),
            removed={name: labels.classes for name, labels in attributes.items()},
            fingerprint=found | dict(learned.fingerprint),
            curve=learned.curve,
        )
        return self

    def transform(self, X: npt.ArrayLike) -> FloatArray:
        """Map embeddings to embeddings without the attributes.

        Parameters
        ----------
        X : array-like of shape (n, d), float32 or float64
            Embeddings from the network that made the training embeddings, in any form that
            `as_vectors` reads; not changed.

        Returns
        -------
        ndarray of shape (n, k), of the type of `X`
            The embeddings without the attributes; float64 for frames of polars and Arrow. A frame
            of pandas or polars where `set_output` says so.
        """
        check_is_fitted(self)
        plain = as_plain(X, "X")
        return self.model_.map(
            validate_data(self, plain, dtype=[np.float64, np.float32], reset=False)
        )

    @abstractmethod
    def _learn(self, data: FitData) -> Learned:
        """Check the parameters, learn, and return the map; `data.attributes` may be empty."""

    @property
    def _n_features_out(self) -> int:
        return self.model_.map.n_features_out

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def encode_target(y: Any, n_rows: int, index: Any = None) -> Labels | None:
    """Encode what is to be kept, if it was given: the identity, or the class, of each row.

    Raises
    ------
    InputError
        If it is of another length than the rows, or has another pandas index than theirs.
    """
    if y is None:
        return None
    target = encode("y", aligned(y, index, "y"))
    if len(target) != n_rows:
        raise InputError(f"y: expected one label for each of {n_rows} rows, found {len(target)}")
    return target


def detector_set(
    X: FloatArray,
    sensitive: Any,
    detector: tuple[npt.ArrayLike, Any] | None,
    index: Any = None,
) -> tuple[dict[str, Labels], FloatArray]:
    """Return the attributes to remove with the embeddings they belong to.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        D-P.
    sensitive : mapping, data frame or array-like, optional
        Attributes of the rows of `X`.
    detector : tuple (X, sensitive), optional
        D-S, with attributes of its own.
    index : pandas index, optional
        That of the rows of `X`; D-S has its own.

    Returns
    -------
    attributes : dict of str to Labels
        Empty if neither is given.
    X : ndarray of shape (m, d)
        The rows the attributes belong to.

    Raises
    ------
    InputError
        If both are given, or the two sets do not fit together.

    Warns
    -----
    DetectorWarning
        If neither is given.
    """
    if detector is None and sensitive is None:
        warnings.warn(
            "no sensitive attribute given: phi is trained for the primary task alone and "
            "removes nothing; pass sensitive= or detector=",
            DetectorWarning,
            stacklevel=3,
        )
        return {}, X
    if detector is None:
        return encode_attributes(sensitive, len(X), index), X
    if sensitive is not None:
        raise InputError("expected either sensitive= or detector=, found both; give one")
    X_detector = as_vectors(detector[0], "detector").astype(np.float32, copy=False)
    check_vectors(X_detector, "detector")
    if X_detector.shape[1] != X.shape[1]:
        raise InputError(
            f"detector: expected {X.shape[1]} features as in X, found {X_detector.shape[1]}; "
            "embed both with one network"
        )
    index = row_index(detector[0])
    return encode_attributes(detector[1], len(X_detector), index), X_detector


def unit_copy(X: FloatArray, where: str) -> FloatArray:
    """Return `X` with every row scaled to unit length.

    Raises
    ------
    InputError
        If a row is zero or not finite.
    """
    check_vectors(X, where)
    unit = X.copy()
    normalise_rows(unit)
    return unit
