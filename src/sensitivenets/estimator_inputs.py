"""What estimators are given, checked and encoded: identities, attributes, D-P and D-S."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import FloatArray, check_vectors
from sensitivenets.errors import DetectorWarning, InputError
from sensitivenets.labels import Labels, encode, encode_attributes
from sensitivenets.projection import normalise_rows


def encode_target(y: Any, n_rows: int) -> Labels | None:
    """Encode what is to be kept, if it was given: the identity, or the class, of each row.

    Raises
    ------
    InputError
        If it is of another length than the rows.
    """
    if y is None:
        return None
    target = encode("y", y)
    if len(target) != n_rows:
        raise InputError(f"y: expected one label for each of {n_rows} rows, found {len(target)}")
    return target


def detector_set(
    X: FloatArray, sensitive: Any, detector: tuple[npt.ArrayLike, Any] | None
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
        return encode_attributes(sensitive, len(X)), X
    if sensitive is not None:
        raise InputError("expected either sensitive= or detector=, found both; give one")
    X_detector = np.asarray(detector[0], dtype=np.float32)
    check_vectors(X_detector, "detector")
    if X_detector.shape[1] != X.shape[1]:
        raise InputError(
            f"detector: expected {X.shape[1]} features as in X, found {X_detector.shape[1]}; "
            "embed both with one network"
        )
    return encode_attributes(detector[1], len(X_detector)), X_detector


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
