"""Label columns as integer codes: identities and attributes, with null for unlabelled rows."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sensitivenets.embeddings.arrays import from_torch
from sensitivenets.embeddings.rows import Codes, row_blocks
from sensitivenets.errors import InputError, some_of

UNLABELLED = -1


# As many classes as a line of text shows.
_SHOWN = 6
# Codes that are widened at a time: eight megabytes.
_WIDENED = 1 << 20


@dataclass(frozen=True, repr=False)
class Labels:
    """One categorical column.

    Attributes
    ----------
    name : str
        Name of the column, such as ``"gender"``.
    codes : ndarray of shape (n,), int64
        Index into `classes`, or -1 where the row is unlabelled. Of a table that is read and not
        held (`TableSource.read_codes`) the smallest integers that they fit into: reckon with those
        of `widened`.
    classes : tuple of str
        The distinct values in ascending order, as text.
    """

    name: str
    codes: Codes
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        return (
            f"Labels({self.name!r}, {len(self)} rows, {int(self.labelled.sum())} labelled, "
            f"{len(self.classes)} classes: {some_of(self.classes, _SHOWN)})"
        )

    @property
    def labelled(self) -> npt.NDArray[np.bool_]:
        """Mask of the rows that carry a label."""
        return np.not_equal(self.codes, UNLABELLED)

    def take(self, rows: npt.NDArray[Any]) -> Labels:
        """Keep the given rows (indices or a mask); the classes stay as they are."""
        return Labels(self.name, self.codes[rows], self.classes)

    def widened(self) -> Labels:
        """Return the same labels with codes of int64, which can be reckoned with."""
        return Labels(self.name, self.codes.astype(np.int64), self.classes)

    def extended(self, n_rows: int) -> Labels:
        """Put so many unlabelled rows behind; the classes stay as they are."""
        codes = np.concatenate([self.codes, np.full(n_rows, UNLABELLED, dtype=self.codes.dtype)])
        return Labels(self.name, codes, self.classes)

    def counts(self) -> dict[str, int]:
        """Count the labelled rows of each class, in the order of `classes`."""
        return dict(zip(self.classes, counted(self.codes, len(self.classes)).tolist(), strict=True))

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
    """Turn a column of any type into `Labels`.

    Unlabelled is what says that there is nothing, whatever holds it: None, NaN, NaT, pandas' NA, a
    null of Arrow or polars, a masked entry. The texts ``"nan"`` and ``""`` are classes.

    Parameters
    ----------
    name : str
        Name to give the column.
    values : array-like of shape (n,)
        Text, integers, booleans or floats: a list, a numpy array (masked or not), a torch tensor,
        a pandas or polars column, an Arrow array.

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
    Labels('gender', 4 rows, 3 labelled, 2 classes: 'f', 'm')
    >>> encode("gender", ["f", "m", None, "f"]).codes.tolist()
    [0, 1, -1, 0]
    """
    return encode_parts(name, [values]).widened()


def encode_parts(name: str, parts: Iterable[Any]) -> Labels:
    """Encode a long column part by part, in the smallest integers: a value is held once.

    Parameters
    ----------
    name : str
        Name to give the column.
    parts : iterable of array-like
        Its rows, each part of one type as for `encode`; a part is held no longer than it is looked
        at. Looking one up takes time for all values met before: parts should be long.

    Returns
    -------
    Labels
        As `encode`, its codes narrow.

    Raises
    ------
    InputError
        As `encode`.
    """
    known: pa.Array | None = None
    found: list[Codes] = []
    try:
        for part in parts:
            column = _as_arrow(part)
            known = _with_values_of(column, known)
            codes = pc.fill_null(pc.index_in(column, value_set=known), UNLABELLED)
            found.append(codes.to_numpy().astype(code_type(len(known))))
        if known is None:
            return Labels(name, np.empty(0, dtype=code_type(0)), ())
        order = pc.sort_indices(known)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(
            f"column {name!r}: expected one flat column of text, numbers or booleans; {error}"
        ) from error
    # From the order in which values were met to their own; the last place is that of no value.
    places: Codes = np.full(len(known) + 1, UNLABELLED, dtype=code_type(len(known)))
    places[order.to_numpy()] = np.arange(len(known))
    ordered: Codes = np.empty(sum(map(len, found)), dtype=places.dtype)
    start = 0
    while found:
        codes = found.pop(0)
        ordered[start : start + len(codes)] = places[codes]
        start += len(codes)
    return Labels(name, ordered, tuple(str(value) for value in known.take(order).to_pylist()))


def _with_values_of(column: pa.Array, known: pa.Array | None) -> pa.Array:
    """Return the values that are known, and behind them those of a column that are not."""
    values = column.unique().drop_null()
    if known is None:
        return values
    is_new = pc.invert(pc.is_in(values, value_set=known))
    return pa.concat_arrays([known, values.filter(is_new)])


def code_type(n_classes: int) -> np.dtype[np.signedinteger[Any]]:
    """Return the smallest integers that hold so many codes, and -1: a byte up to 128 classes."""
    return np.min_scalar_type(-max(n_classes, 1))


def first_free(codes: Codes) -> int:
    """Return the first code that no row has, nor any above it."""
    return int(codes.max(initial=-1)) + 1


def counted(codes: Codes, n_classes: int) -> npt.NDArray[np.int64]:
    """Count the rows of each code from 0; a long table of narrow codes is widened bit by bit."""
    counts = np.zeros(n_classes, dtype=np.int64)
    step = max(_WIDENED, n_classes)
    for start in range(0, len(codes), step):
        some = codes[start : start + step]
        counts += np.bincount(some[some >= 0], minlength=n_classes)
    return counts


def _as_arrow(values: Any) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if not isinstance(values, pa.Array):
        values = _converted(values)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if "view" in str(values.type):
        # pyarrow takes a null among views for an empty text.
        values = values.cast(pa.large_string())
    if pa.types.is_float16(values.type):
        values = values.cast(pa.float32())
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), None, values)
    return values


def _converted(values: Any) -> pa.Array:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(values, torch.Tensor):
        values = from_torch(values, "labels")
    # By way of numpy, a NaN among text would be text, and integers with nulls be floats.
    if not isinstance(values, (list, tuple)) and not hasattr(values, "__arrow_c_stream__"):
        array = values if isinstance(values, np.ma.MaskedArray) else np.asarray(values)
        if array.ndim != 1:
            raise ValueError(f"found an array of shape {array.shape}")
        if isinstance(array, np.ma.MaskedArray):
            return pa.array(array.data, mask=np.ma.getmaskarray(array), from_pandas=True)
        values = array
    try:
        found = pa.array(values, from_pandas=True)
    except pa.ArrowException:
        # Arrow knows the missing values of Python and pandas, not those of numpy.
        if not isinstance(values, (list, tuple, np.ndarray)):
            raise
        found = pa.array([None if _is_missing(one) else one for one in values], from_pandas=True)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _is_missing(value: Any) -> bool:
    if value is np.ma.masked:
        return True
    return isinstance(value, (np.floating, np.datetime64)) and bool(
        np.isnat(value) if isinstance(value, np.datetime64) else np.isnan(value)
    )


def encode_attributes(sensitive: Any, n_rows: int, index: Any = None) -> dict[str, Labels]:
    """Turn what a user calls "the sensitive attributes" into named `Labels`.

    Parameters
    ----------
    sensitive : mapping, data frame, pyarrow table, or array-like of shape (n,) or (n, k)
        Columns by name; a bare array is named ``sensitive`` (or ``sensitive_0``, ...).
    n_rows : int
        Rows of the embeddings that the attributes belong to.
    index : pandas index, optional
        That of the embeddings: columns with an index of their own are brought into its order (see
        `aligned`).

    Returns
    -------
    dict of str to Labels
        In the order given.

    Raises
    ------
    InputError
        If a column has another length, another index or fewer than two classes, or there is no
        column.
    """
    attributes = encode_columns(sensitive, n_rows, index)
    for labels in attributes.values():
        labels.require_two_classes()
    return attributes


def encode_columns(sensitive: Any, n_rows: int, index: Any = None) -> dict[str, Labels]:
    """Do what `encode_attributes` does, for a part of the rows: it may lack a class.

    Raises
    ------
    InputError
        If a column has another length or another index, or there is no column.
    """
    attributes = {
        name: encode(name, aligned(values, index, f"attribute {name!r}"))
        for name, values in _columns(sensitive).items()
    }
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
    if isinstance(sensitive, (list, tuple)):
        if not sensitive or not isinstance(sensitive[0], (list, tuple, np.ndarray)):
            return {"sensitive": sensitive}
        if len({len(row) for row in sensitive}) > 1:
            raise InputError(
                "sensitive: expected as many attributes in each row, found rows of different length"
            )
        # Not by way of numpy: see `encode`.
        columns = [list(column) for column in zip(*sensitive, strict=True)]
        return {f"sensitive_{k}": column for k, column in enumerate(columns)}
    if getattr(sensitive, "ndim", 1) == 2:
        return {f"sensitive_{k}": sensitive[:, k] for k in range(sensitive.shape[1])}
    return {str(getattr(sensitive, "name", None) or "sensitive"): sensitive}


def row_index(X: Any) -> Any:
    """Return the index of a pandas object, or None for all that has no names of rows."""
    if type(X).__module__.split(".")[0] != "pandas":
        return None
    return getattr(X, "index", None)


def aligned(values: Any, index: Any, where: str) -> Any:
    """Bring a pandas column into the order of the embeddings it belongs to.

    Two equal indexes, such as two that count from 0, and whatever has no index, go by position.
    Else the same keys must be in both, each once.

    Parameters
    ----------
    values : pandas Series or data frame, or other
        Labels.
    index : pandas index or None
        That of the embeddings.
    where : str
        Put in front of the message.

    Returns
    -------
    object
        `values`, in the order of `index` if both have one.

    Raises
    ------
    InputError
        If the keys differ, or are in another order and occur more than once.
    """
    mine = row_index(values)
    if index is None or mine is None or mine.equals(index):
        return values
    remedy = "give both the same index, or none: .reset_index(drop=True) on both goes by position"
    if len(mine) != len(index):
        raise InputError(
            f"{where}: expected one label for each of {len(index)} rows, found {len(mine)}"
        )
    if not (mine.is_unique and index.is_unique):
        raise InputError(
            f"{where}: its pandas index is in another order than that of X, and keys occur more "
            f"than once, so that its rows cannot be told apart; {remedy}"
        )
    missing = index[~index.isin(mine)]
    if len(missing):
        raise InputError(
            f"{where}: expected the pandas index of X, in any order, found no row {missing[0]!r} "
            f"({len(missing)} of {len(index)} rows of X are not in it); {remedy}"
        )
    return values.loc[index]


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
    numbers = combinations(parts)
    present = np.unique(numbers[numbers >= 0])
    kinds = [part.codes.dtype for part in parts]
    codes = np.full(len(numbers), UNLABELLED, np.result_type(*kinds, code_type(len(present))))
    for where in row_blocks(len(codes), _WIDENED):
        known = numbers[where] >= 0
        codes[where][known] = np.searchsorted(present, numbers[where][known])
    sizes = [len(part.classes) for part in parts]
    found = zip(*np.unravel_index(present, sizes), strict=True) if len(present) else ()
    classes = tuple(
        " x ".join(part.classes[code] for part, code in zip(parts, row, strict=True))
        for row in found
    )
    return Labels(name or " x ".join(attributes), codes, classes)


def combinations(parts: Sequence[Labels]) -> Codes:
    """Tell which of the possible combinations of classes each row has, by their number.

    Parameters
    ----------
    parts : sequence of Labels
        Of the same rows.

    Returns
    -------
    ndarray of shape (n,)
        In the order of the classes, the last part the fastest; -1 where a part is not known. In the
        smallest integers.
    """
    n_possible = math.prod(len(part.classes) for part in parts)
    if n_possible >= 2**63:
        sizes = " x ".join(f"{len(part.classes)} of {part.name!r}" for part in parts)
        raise InputError(f"expected fewer classes to cross, found {sizes}; leave an attribute out")
    numbers = np.zeros(len(parts[0]), dtype=code_type(n_possible))
    known = np.ones(len(numbers), dtype=bool)
    for part in parts:
        # Below the number of combinations wherever all parts are known, and of no use elsewhere.
        numbers *= numbers.dtype.type(len(part.classes))
        numbers += part.codes.astype(numbers.dtype)
        known &= part.labelled
    numbers[~known] = UNLABELLED
    return numbers
