"""The one contract of every eraser: fit on embeddings and attributes, leave a frozen map."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

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
from sensitivenets.embeddings.rows import blas_threads
from sensitivenets.errors import InputError
from sensitivenets.maps.base import FittedMap, Model, json_parameters

C = TypeVar("C")
_PARAMETERS, _ATTRIBUTES = "Parameters\n----------\n", "\n\nAttributes\n----------\n"


@dataclass_transform(kw_only_default=True, eq_default=False)
def parameterised(cls: type[C]) -> type[C]:
    """Make the annotated attributes of a class its parameters, beside those of its bases.

    A parameter that several methods have is declared, and described, in a base they share. The
    class gets an `__init__` that takes all parameters by keyword, from which scikit-learn reads
    them, and its docstring lists the inherited ones below its own. What it describes itself, or
    gives another default, stands in place of what its base says.

    Parameters
    ----------
    cls : type
        With numpydoc's section on parameters, if it declares any.

    Returns
    -------
    type
        The same class.
    """
    made = dataclass(kw_only=True, eq=False, repr=False)(cls)
    text = inspect.cleandoc(made.__doc__ or "")
    described = _described(text)
    own = set(described)
    for base in made.__bases__:
        for name, entry in _described(inspect.cleandoc(base.__doc__ or "")).items():
            described.setdefault(name, entry)
    inherited = dict.fromkeys(entry for name, entry in described.items() if name not in own)
    if inherited:
        made.__doc__ = _with_entries(text, "\n".join(inherited))
    return made


def _described(text: str) -> dict[str, str]:
    """Return the entries of the section on parameters, by the names they describe."""
    entries: list[list[str]] = []
    section = text.partition(_PARAMETERS)[2].partition("\n\n")[0]
    for line in section.splitlines():
        if line.startswith(" "):
            entries[-1].append(line)
        else:
            entries.append([line])
    return {
        name: "\n".join(entry)
        for entry in entries
        for name in entry[0].partition(" : ")[0].split(", ")
    }


def _with_entries(text: str, entries: str) -> str:
    """Add entries to the end of the section on parameters, or make one before the attributes."""
    before, header, after = text.partition(_PARAMETERS)
    if header:
        own, gap, rest = after.partition("\n\n")
        return f"{before}{header}{own}\n{entries}{gap}{rest}"
    before, header, rest = text.partition(_ATTRIBUTES)
    return f"{before}\n\n{_PARAMETERS}{entries}{header}{rest}"


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
        The attributes to remove; a row may be unlabelled. Empty only for a method that is of use
        without them.
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


@parameterised
class Eraser(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC):
    """Base of the estimators that remove attributes; a method implements `_learn`.

    Parameters
    ----------
    random_state : int, RandomState or None, default=None
        Decides everything random; the same int gives the same bits on the same machine with the
        same number of threads.

    Attributes
    ----------
    model_ : Model
        The fitted map with its record.
    """

    random_state: int | np.random.RandomState | None = None

    #: Whether a fit without attributes is refused: it could remove nothing.
    _needs_attributes: ClassVar[bool] = True
    #: Whether rows without a label teach it anything.
    _learns_from_unlabelled: ClassVar[bool] = False

    def fit(
        self,
        X: npt.ArrayLike,
        y: Any = None,
        *,
        sensitive: Any = None,
        detector: tuple[npt.ArrayLike, Any] | None = None,
        unlabelled: npt.ArrayLike | None = None,
    ) -> Self:
        """Learn a map that removes attributes.

        Parameters
        ----------
        X : array-like of shape (n, d)
            D-P: embeddings, in any form that `as_vectors` reads.
        y : array-like of shape (n,), optional
            Identity of each row, or its class: what is to be kept. Null is unlabelled.
        sensitive : mapping, data frame or array-like, optional
            Attributes to remove, by name, for the rows of `X`; null is unlabelled. Needed, unless
            `detector` is given, by every method that looks at attributes.
        detector : tuple (X, sensitive), optional
            D-S: other embeddings from the same network with their attributes. Given instead of
            `sensitive`.
        unlabelled : array-like of shape (u, d), optional
            More embeddings of the same network, of which no attribute is known: as if they stood
            behind the labelled rows with null labels. For methods whose maps come from moments of
            predicted groups, such as `RoutedTransport`, which need many rows and few labels.

        Returns
        -------
        Self
            Itself.

        Raises
        ------
        InputError
            If a parameter, the data, or their combination cannot be used, or there is no attribute
            to remove.

        Notes
        -----
        Where both `X` and the labels have a pandas index, they are matched by it: equal indexes go
        by position; else both must hold the same keys, each once, or the fit is refused.
        """
        index = row_index(X)
        vectors: FloatArray = validate_data(
            self, as_plain(X, "X"), dtype=np.float32, ensure_min_samples=2
        )
        target = encode_target(y, len(vectors), index)
        if sensitive is None and detector is None:
            self._go_without_attributes()
        attributes, X_sensitive = detector_set(vectors, sensitive, detector, index)
        sets = {"primary": vectors} | ({} if detector is None else {"detector": X_sensitive})
        if unlabelled is not None:
            sets["unlabelled"] = self._unlabelled(unlabelled, vectors.shape[1])
            attributes, X_sensitive = joined(attributes, X_sensitive, sets["unlabelled"])
        seed = int(check_random_state(self.random_state).randint(2**31))
        data = FitData(vectors, target, X_sensitive, attributes, seed)
        # Hashing all rows takes as long as a closed-form fit: the two run side by side.
        with other_cores() as pool:
            hashing = {name: Hashing(rows, pool) for name, rows in sets.items()}
            learned = self._learn(data)
            found = {name: one.result().to_record() for name, one in hashing.items()}
        self.model_: Model = self._record(
            learned, {name: labels.classes for name, labels in attributes.items()}, found
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
        """Check the parameters, learn, and return the map."""

    def _go_without_attributes(self) -> None:
        """Refuse to, unless the method is of use without attributes."""
        if self._needs_attributes:
            raise InputError(
                f"sensitive: {type(self).__name__} expects the attributes to remove, found none; "
                "pass sensitive={'gender': [...]} with a label for each row of X, or "
                "detector=(X, sensitive) with other rows that have labels"
            )

    def _unlabelled(self, unlabelled: npt.ArrayLike, n_features: int) -> FloatArray:
        """Check rows without labels, or refuse them where they would teach nothing."""
        if not self._learns_from_unlabelled:
            raise InputError(
                f"unlabelled: {type(self).__name__} learns nothing from rows without labels; "
                "expected none, or a method such as RoutedTransport"
            )
        return _checked(unlabelled, "unlabelled", n_features)

    def _record(
        self,
        learned: Learned,
        removed: Mapping[str, tuple[str, ...]],
        fingerprint: Mapping[str, Any],
    ) -> Model:
        """Put a map on record: how it was learned, what it removes, and from which data."""
        return Model(
            map=learned.map,
            method=type(self).__name__,
            parameters=json_parameters(self.get_params()),
            removed=removed,
            fingerprint={
                **fingerprint,
                **learned.fingerprint,
                "computed_with": {"threads": blas_threads()},
            },
            curve=learned.curve,
        )

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
    """
    if detector is None and sensitive is None:
        return {}, X
    if detector is None:
        return encode_attributes(sensitive, len(X), index), X
    if sensitive is not None:
        raise InputError("expected either sensitive= or detector=, found both; give one")
    X_detector = _checked(detector[0], "detector", X.shape[1])
    index = row_index(detector[0])
    return encode_attributes(detector[1], len(X_detector), index), X_detector


def _checked(given: npt.ArrayLike, name: str, n_features: int) -> FloatArray:
    """Return rows of another set than X as float32, or say what is wrong with them."""
    rows = as_vectors(given, name).astype(np.float32, copy=False)
    check_vectors(rows, name)
    if rows.shape[1] != n_features:
        raise InputError(
            f"{name}: expected {n_features} features as in X, found {rows.shape[1]}; embed both "
            "with one network"
        )
    return rows


def joined(
    attributes: Mapping[str, Labels], X: FloatArray, unlabelled: FloatArray
) -> tuple[dict[str, Labels], FloatArray]:
    """Put rows without labels behind labelled ones.

    Parameters
    ----------
    attributes : mapping of str to Labels
        Of the rows of `X`.
    X : ndarray of shape (m, d)
        Rows with labels.
    unlabelled : ndarray of shape (u, d)
        Rows without.

    Returns
    -------
    attributes : dict of str to Labels
        Of all rows.
    X : ndarray of shape (m + u, d)
        All rows.
    """
    longer = {name: labels.extended(len(unlabelled)) for name, labels in attributes.items()}
    return longer, np.concatenate([X, unlabelled])
