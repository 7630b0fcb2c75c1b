"""Label columns as integer codes: identities and attributes, with null for unlabelled rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sensitivenets.errors import InputError

UNLABELLED = -1


@dataclass(frozen=True)
class Labels:
    """One categorical column.

    Attributes
    ----------
    name : str
        Name of the column, such as ``"gender"``.
    codes : ndarray of shape (n,), int64
        Index into `classes`, or -1 where the row is unlabelled.
    classes : tuple of str
        The distinct values in ascending order, as text.
    """

    name: str
    codes: npt.NDArray[np.int64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def labelled(self) -> npt.NDArray[np.bool_]:
        """Mask of the rows that carry a label."""
        return np.not_equal(self.codes, UNLABELLED)

    def take(self, rows: npt.NDArray[Any]) -> Labels:
        """Keep the given rows (indices or a mask); the classes stay as they are."""
        return Labels(self.name, self.codes[rows], self.classes)

    def counts(self) -> dict[str, int]:
        """Count the labelled rows of each class, in the order of `classes`."""
        counts = np.bincount(self.codes[self.labelled], minlength=len(self.classes))
        return dict(zip(self.classes, counts.tolist(), strict=True))

    def require_two_classes(self) -> Labels:
        """Return self if at least two classes have rows.

        Raises
        ------
        InputError
            If only one class, or none, is present.
        """
        present = [f"{name!r} ({n} rows)" for name, n in self.counts().items() if n]
        if len(present) < 2:
            found = " and ".join(present) or f"no labelled row among {len(self)}"
            raise InputError(
                f"column {self.name!r}: expected at least two classes, found only {found}; "
                f"give rows of another class or leave {self.name!r} out"
            )
        return self


def encode(name: str, values: Any) -> Labels:
    """Turn a column of any type into `Labels`; None and NaN are unlabelled.

    Parameters
    ----------
    name : str
        Name to give the column.
    values : pyarrow array, or array-like of shape (n,)
        Text, integers, booleans or floats.

    Returns
    -------
    Labels
        Codes in the order of the sorted values.

    Raises
    ------
    InputError
        If the values are not one flat column of one type.

    Examples
    --------
    >>> encode("gender", ["f", "m", None, "f"])
    Labels(name='gender', codes=array([ 0,  1, -1,  0]), classes=('f', 'm'))
    """
    try:
        column = _as_arrow(values)
        distinct = column.unique().drop_null()
        order = pc.sort_indices(distinct)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(
            f"column {name!r}: expected one flat column of text, numbers or booleans; {error}"
        ) from error
    distinct = distinct.take(order)
    codes = pc.fill_null(pc.index_in(column, value_set=distinct), UNLABELLED)
    return Labels(
        name, codes.to_numpy().astype(np.int64), tuple(str(v) for v in distinct.to_pylist())
    )


def _as_arrow(values: Any) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, (list, tuple)) or hasattr(values, "__arrow_c_stream__"):
        # By way of numpy, a NaN among text would be text, and integers with nulls be floats.
        values = pa.array(values, from_pandas=True)
    if not isinstance(values, pa.Array):
        array = np.asarray(values)
        if array.ndim != 1:
            raise ValueError(f"found an array of shape {array.shape}")
        values = pa.array(array, from_pandas=True)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), None, values)
    return values


def encode_attributes(sensitive: Any, n_rows: int) -> dict[str, Labels]:
    """Turn what a user calls "the sensitive attributes" into named `Labels`.

    Parameters
    ----------
    sensitive : mapping, data frame, pyarrow table, or array-like of shape (n,) or (n, k)
        Columns by name; a bare array is named ``sensitive`` (or ``sensitive_0``, ...).
    n_rows : int
        Rows of the embeddings that the attributes belong to.

    Returns
    -------
    dict of str to Labels
        In the order given.

    Raises
    ------
    InputError
        If a column has another length, fewer than two classes, or there is no column.
    """
    attributes = encode_columns(sensitive, n_rows)
    for labels in attributes.values():
        labels.require_two_classes()
    return attributes


def encode_columns(sensitive: Any, n_rows: int) -> dict[str, Labels]:
    """Do what `encode_attributes` does, for a part of the rows: it may lack a class.

    Raises
    ------
    InputError
        If a column has another length, or there is no column.
    """
    attributes = {name: encode(name, values) for name, values in _columns(sensitive).items()}
    if not attributes:
        raise InputError("expected at least one sensitive attribute, found none")
    for name, labels in attributes.items():
        if len(labels) != n_rows:
            raise InputError(
                f"attribute {name!r}: expected one label for each of {n_rows} rows, "
                f"found {len(labels)}"
            )
    return attributes


def _columns(sensitive: Any) -> dict[str, Any]:
    if isinstance(sensitive, pa.Table):
        return {name: sensitive[name] for name in sensitive.column_names}
    if isinstance(sensitive, Mapping):
        return {str(name): values for name, values in sensitive.items()}
    if hasattr(sensitive, "columns"):
        return {str(name): sensitive[name] for name in sensitive.columns}
    array = np.asarray(sensitive)
    if array.ndim == 2:
        return {f"sensitive_{k}": array[:, k] for k in range(array.shape[1])}
    return {str(getattr(sensitive, "name", None) or "sensitive"): array}


def joint(attributes: Mapping[str, Labels], name: str | None = None) -> Labels:
    """Cross several attributes into one: gender x ethnicity has six classes.

    Parameters
    ----------
    attributes : mapping of str to Labels
        The attributes to cross, all of one length.
    name : str, optional
        Name of the result; the parts joined by `` x `` unless given.

    Returns
    -------
    Labels
        One class for each combination that occurs; a row that misses a part is unlabelled.
    """
    parts = list(attributes.values())
    known = np.all([part.labelled for part in parts], axis=0)
    stacked = np.stack([part.codes[known] for part in parts], axis=1)
    combinations, inverse = np.unique(stacked, axis=0, return_inverse=True)
    codes = np.full(len(known), UNLABELLED, dtype=np.int64)
    codes[known] = inverse.reshape(-1)
    classes = tuple(
        " x ".join(part.classes[code] for part, code in zip(parts, row, strict=True))
        for row in combinations
    )
    return Labels(name or " x ".join(attributes), codes, classes)
