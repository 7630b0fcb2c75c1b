"""What every frozen map is: arrays that it declares once, and the record of the fit that made it.

A map declares its arrays as names with their shapes in letters, such as ``{"weight": "d k",
"bias?": "k"}``: a letter stands for the same number in every array, ``d`` for the features of an
input and ``k`` for those of an output, a number for itself, and a name with a question mark may be
absent. Saving, loading, the checks and their messages follow from that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import (
    FloatArray,
    as_plain,
    canonical_values,
    check_vectors,
    squared_norms,
)
from sensitivenets.errors import InputError

Shapes = Mapping[str, str]


@runtime_checkable
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


class DeclaredArrays:
    """Base of what consists of declared arrays: a map, or a part of one such as a router.

    Attributes
    ----------
    kind : str
        Its name in saved folders and in messages.
    shapes : mapping of str to str
        The declaration. The value of ``a.b`` is that of the attribute ``b`` of the attribute ``a``.
    """

    kind: ClassVar[str]
    shapes: ClassVar[Shapes] = {}

    def arrays(self) -> dict[str, FloatArray]:
        """Return the arrays to save, by name."""
        names = (name.removesuffix("?") for name in self.shapes)
        values = {name: attrgetter(name)(self) for name in names}
        return {name: array for name, array in values.items() if array is not None}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, FloatArray]) -> Self:
        """Rebuild from what `arrays` returned.

        Raises
        ------
        InputError
            If the arrays are not those that are declared.
        """
        require_declared(cls.kind, cls.declared(arrays), arrays)
        return cls._of(arrays)

    @classmethod
    def declared(cls, names: Collection[str]) -> Shapes:  # noqa: ARG003
        """Return the declaration; where the number of arrays varies, the one that fits `names`."""
        return cls.shapes

    @classmethod
    def within(cls, part: str, **letters: str) -> dict[str, str]:
        """Return the declaration of this as a part of another, with some letters replaced."""
        return {
            f"{part}.{name}": " ".join(letters.get(letter, letter) for letter in shape.split())
            for name, shape in cls.shapes.items()
        }

    @classmethod
    def _of(cls, arrays: Mapping[str, FloatArray]) -> Self:
        """Rebuild from arrays that are as declared."""
        make: Callable[..., Self] = cls
        return make(**arrays)

    @cached_property
    def n_features_in(self) -> int:
        """Features of an input embedding."""
        return self._size("d")

    @cached_property
    def n_features_out(self) -> int:
        """Features of an output embedding."""
        return self._size("k", "d")

    def _size(self, *letters: str) -> int:
        """Return the number that the first of `letters` that is declared stands for."""
        arrays = self.arrays()
        declared = self.declared(arrays)
        for letter in letters:
            for name, array in arrays.items():
                shape = declared.get(name, declared.get(f"{name}?", "")).split()
                if letter in shape:
                    return int(array.shape[shape.index(letter)])
        raise TypeError(f"{type(self).__name__} declares no size {' or '.join(letters)}")

    def __repr__(self) -> str:
        # Weights are not for a screen or a log.
        shapes = ", ".join(f"{name}={array.shape}" for name, array in self.arrays().items())
        return f"{type(self).__name__}({shapes})"


class DeclaredMap(DeclaredArrays, ABC):
    """Base of a fitted map that consists of declared arrays."""

    @abstractmethod
    def __call__(self, X: FloatArray) -> FloatArray:
        """Map (n, d) to (n, k), keeping the type of `X`."""


def require_declared(kind: str, declared: Shapes, arrays: Mapping[str, FloatArray]) -> None:
    """Refuse arrays of other names, shapes or types than those declared.

    Parameters
    ----------
    kind : str
        Put in front of messages.
    declared : mapping of str to str
        Shape of each array in letters.
    arrays : mapping of str to ndarray
        What was found.

    Raises
    ------
    InputError
        Saying what was expected and what was found.
    """
    shapes = {name.removesuffix("?"): shape.split() for name, shape in declared.items()}
    required = {name for name in declared if not name.endswith("?")}
    if not required <= set(arrays) <= set(shapes):
        expected = [n if n in required else f"{n} (optional)" for n in sorted(shapes)]
        raise InputError(
            f"{kind}: expected arrays {', '.join(expected)}; "
            f"found {', '.join(sorted(arrays)) or 'none'}"
        )
    sizes: dict[str, int] = {}
    for name, shape in shapes.items():
        if name in arrays:
            _require_shape(f"{kind}: array {name!r}", shape, arrays[name].shape, sizes)
    for name, array in arrays.items():
        if array.dtype != np.float32:
            raise InputError(f"{kind}: array {name!r}: expected float32, found {array.dtype}")


def _require_shape(
    where: str, letters: list[str], found: tuple[int, ...], sizes: dict[str, int]
) -> None:
    """Refuse a shape that contradicts `sizes`, the letters of earlier arrays; add its own."""
    before = dict(sizes)
    fits = len(letters) == len(found) and all(
        size == (int(letter) if letter.isdecimal() else sizes.setdefault(letter, size))
        for letter, size in zip(letters, found, strict=True)
    )
    if not fits:
        known = [f"{a} = {before[a]}" for a in dict.fromkeys(letters) if a in before]
        given = f" with {', '.join(known)} as in the arrays before" if known else ""
        expected = f"({', '.join(letters)}{',' if len(letters) == 1 else ''})"
        raise InputError(f"{where}: expected shape {expected}{given}, found {found}")


def by_part(arrays: Mapping[str, FloatArray]) -> dict[str, dict[str, FloatArray]]:
    """Split arrays named part.name by part; a name without a dot is of the part ``""``."""
    parts: dict[str, dict[str, FloatArray]] = {}
    for name, array in arrays.items():
        part, _, inner = name.rpartition(".")
        parts.setdefault(part, {})[inner] = array
    return parts


def require_features(X: FloatArray, n_features: int) -> None:
    """Refuse rows of another width or type than a map was fitted on.

    Raises
    ------
    InputError
        Saying what was expected and what was found.
    """
    if X.ndim != 2 or X.shape[1] != n_features:
        raise InputError(
            f"expected embeddings of {n_features} features, found an array of shape {X.shape}; "
            "use the network that made the training embeddings"
        )
    if X.dtype.kind != "f":
        raise InputError(f"expected floating-point embeddings, found {X.dtype}; convert them")


def written_values(phi: FittedMap, X: FloatArray, where: str) -> npt.NDArray[np.float32]:
    """Map rows to what tables are written with (see `canonical_values`).

    Raises
    ------
    InputError
        If the rows have another width, or what comes out cannot be used; the message begins with
        `where` then.
    """
    require_features(X, phi.n_features_in)
    mapped = phi(X)
    check_vectors(mapped, where)
    return canonical_values(mapped)


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
        Each attribute to be removed, with its classes; none are named where they are people.
    fingerprint : mapping
        The training data: rows, features, a digest of the embeddings, by data set.
    curve : tuple of mapping
        The training curve, one record an epoch.
    """

    map: FittedMap
    method: str
    parameters: Mapping[str, Any]
    removed: Mapping[str, tuple[str, ...]]
    fingerprint: Mapping[str, Any] = field(default_factory=dict, repr=False)
    curve: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)

    def transform(self, X: npt.ArrayLike) -> FloatArray:
        """Map embeddings to embeddings without the attributes, as the estimator does.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Embeddings from the network that made the training embeddings, in any form that
            `as_vectors` reads; not changed.

        Returns
        -------
        ndarray of shape (n, k)
            float32 if `X` is, otherwise float64.

        Raises
        ------
        InputError
            If `X` is no matrix of finite numbers, or has another number of features.
        """
        rows = _rows(X)
        require_features(rows, self.map.n_features_in)
        bad = np.flatnonzero(~np.isfinite(squared_norms(rows)))
        bad = bad[~np.isfinite(rows[bad]).all(axis=1)]
        if len(bad):
            raise InputError(
                f"X, row {bad[0]}: NaN or infinite value ({len(bad)} such rows of {len(rows)}); "
                "drop these rows or embed them again"
            )
        return self.map(rows)


def _rows(X: npt.ArrayLike) -> FloatArray:
    plain = as_plain(X, "X")
    try:
        rows = np.asarray(plain)
    except ValueError as error:
        raise InputError(f"X: expected a matrix of numbers; {error}") from error
    if rows.dtype in {np.dtype(np.float32), np.dtype(np.float64)}:
        return rows
    if rows.dtype.kind not in "buifO":
        raise InputError(f"X: expected numbers, found {rows.dtype}; convert them")
    try:
        return rows.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"X: expected a matrix of numbers; {error}") from error


class Fitted(Protocol):
    """A fitted estimator of this library."""

    model_: Model


def map_of(fitted: FittedMap | Model | Fitted) -> FittedMap:
    """Return a fitted map, or that of a model or of a fitted estimator.

    Raises
    ------
    InputError
        If it is none of them.
    """
    if isinstance(fitted, FittedMap):
        return fitted
    return model_of(fitted).map


def model_of(fitted: Model | Fitted) -> Model:
    """Return a model, or that of a fitted estimator.

    Raises
    ------
    InputError
        If it is neither.
    """
    model = fitted if isinstance(fitted, Model) else getattr(fitted, "model_", None)
    if isinstance(model, Model):
        return model
    if isinstance(fitted, type):
        raise InputError(
            f"expected a Model or a fitted estimator, found the class {fitted.__name__}"
        )
    name = type(fitted).__name__
    if hasattr(fitted, "fit"):
        raise InputError(
            f"expected a fitted estimator, found {name} without a model_: call fit first; an "
            "estimator of another library has none"
        )
    raise InputError(f"expected a Model or a fitted estimator, found {name}")


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
