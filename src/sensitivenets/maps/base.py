"""What every fitted map can do, and the checks that all of them share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

from sensitivenets.embeddings import FloatArray
from sensitivenets.errors import InputError


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


def require_names(arrays: Mapping[str, FloatArray], names: set[str]) -> None:
    """Refuse saved arrays of other names.

    Raises
    ------
    InputError
        Saying what was expected and what was found.
    """
    if set(arrays) != names:
        raise InputError(f"expected arrays {sorted(names)}, found {sorted(arrays)}")


def shapes(arrays: Mapping[str, FloatArray]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each array, for messages."""
    return {name: array.shape for name, array in arrays.items()}
