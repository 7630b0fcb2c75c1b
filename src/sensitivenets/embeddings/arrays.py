"""Matrices at the door: what a person has in hand becomes vectors, or is refused in words."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sensitivenets.embeddings.rows import FloatArray as FloatArray
from sensitivenets.embeddings.rows import row_blocks
from sensitivenets.errors import InputError, some_of

# Of the 23 digits after the first that float32 has.
_DROPPED_BITS = 7
# Values that are rounded at a time: 256 KiB.
_CACHED_WORDS = 1 << 16


def as_vectors(X: Any, where: str) -> FloatArray:
    """Turn whatever holds embeddings into a matrix.

    Parameters
    ----------
    X : array-like of shape (n, d)
        A numpy array or nested list; a torch tensor, on any device, of any float type; a pandas or
        polars data frame of n rows and d columns; a pandas or polars column, Arrow array or
        one-column table whose rows are lists of d numbers; an `EmbeddingTable`.
    where : str
        Put in front of messages, such as ``"X"``.

    Returns
    -------
    ndarray of shape (n, d), float32 or float64
        Without a copy where its memory allows; float64 stays so, all else becomes float32. Its
        values are not looked at (see `check_vectors`).

    Raises
    ------
    InputError
        If it is no matrix of real numbers, or a value is missing.

    Examples
    --------
    >>> import pyarrow as pa
    >>> as_vectors(pa.array([[1.0, 0.0], [0.0, 1.0]]), "X")
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    found = as_plain(X, where)
    if hasattr(found, "toarray"):
        raise InputError(
            f"{where}: expected a dense matrix, found {_kind(found)}; call its .toarray()"
        )
    try:
        array = np.asarray(found)
        if array.dtype.kind == "O":
            array = array.astype(np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise _unreadable(found, where, str(error).splitlines()[0]) from error
    if array.dtype.kind not in "fiub":
        raise _unreadable(found, where, f"values of type {array.dtype}")
    if array.ndim != 2:
        raise InputError(
            f"{where}: expected a matrix of shape (rows, features), found shape {array.shape}"
        )
    # What float32 cannot hold becomes infinite and is refused with its row, by check_vectors.
    with np.errstate(over="ignore"):
        return array if array.dtype == np.float64 else array.astype(np.float32, copy=False)


def as_plain(X: Any, where: str) -> Any:
    """Turn what scikit-learn's own checks would misread into an array, and hand on the rest.

    Data frames of numbers stay as they are, with the names of their columns.

    Parameters
    ----------
    X : object
        See `as_vectors`.
    where : str
        Put in front of messages.

    Returns
    -------
    object
        An ndarray, or `X` itself.

    Raises
    ------
    InputError
        If a value is missing, rows differ in length, or a frame has more than its embeddings.
    """
    if isinstance(X, np.ndarray):
        return _from_numpy(X, where)
    if isinstance(X, (list, tuple)):
        return _stacked(X, where) if len(X) and _is_tensor(X[0]) else X
    if _is_tensor(X):
        return from_torch(X, where)
    if isinstance(X, (pa.Array, pa.ChunkedArray)):
        column = X if isinstance(X, pa.ChunkedArray) else pa.chunked_array([X])
        return vectors_from_arrow(column, where)
    if isinstance(getattr(X, "vectors", None), np.ndarray):
        return X.vectors
    if isinstance(X, (pa.Table, pa.RecordBatch)):
        lists = [field.name for field in X.schema if is_list(field.type)]
        return as_plain(X[_only(lists, X.schema.names, where)], where) if lists else X
    if _is_from(X, "polars"):
        return _from_polars(X, where)
    return _from_pandas(X, where) if _is_from(X, "pandas") else X


def from_torch(tensor: Any, where: str) -> npt.NDArray[Any]:
    """Return the values of a torch tensor, without its gradient; half precision as float32.

    Raises
    ------
    InputError
        If it is sparse, or has no values.
    """
    values = tensor.detach()
    try:
        if values.is_floating_point() and values.element_size() < 4:
            values = values.float()
        return values.cpu().numpy()  # type: ignore[no-any-return]
    except (TypeError, RuntimeError, NotImplementedError) as error:
        raise InputError(
            f"{where}: expected a dense tensor with values, found {values.layout} on "
            f"{values.device}: {str(error).splitlines()[0]}; make it dense, on the CPU"
        ) from error


def _is_from(value: Any, library: str) -> bool:
    return library in sys.modules and type(value).__module__.split(".")[0] == library


def _is_tensor(value: Any) -> bool:
    # A subclass such as a Parameter lives in another module, or another package.
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_list(kind: pa.DataType) -> bool:
    """Whether a type is one of lists: fixed or of any length, views, fixed-shape tensors."""
    types = pa.types
    if types.is_fixed_size_list(kind) or types.is_list(kind) or types.is_large_list(kind):
        return True
    return bool(
        isinstance(kind, pa.FixedShapeTensorType)
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
    )


def _kind(value: Any) -> str:
    return f"{type(value).__module__.split('.')[0]}.{type(value).__name__}"


def _unreadable(value: Any, where: str, reason: str) -> InputError:
    return InputError(
        f"{where}: expected a matrix of real numbers, one embedding a row, found "
        f"{_kind(value)}: {reason}; convert it to a numpy array of float32"
    )


def _only(lists: list[str], names: Sequence[str], where: str) -> str:
    """Return the one column of a frame, if it is its embeddings."""
    if len(names) > 1:
        raise InputError(
            f"{where}: expected numbers alone, or one column of embeddings, found the column "
            f"{lists[0]!r} of lists among {some_of(names)}; give that column"
        )
    return lists[0]


def _from_numpy(X: npt.NDArray[Any], where: str) -> npt.NDArray[Any]:
    if isinstance(X, np.ma.MaskedArray):
        masked = np.flatnonzero(np.ma.getmaskarray(X).reshape(len(X), -1).any(axis=1))
        if len(masked):
            raise InputError(
                f"{where}, row {masked[0]}: masked value ({len(masked)} such rows of {len(X)}); "
                "drop these rows or fill them"
            )
        X = X.data
    if X.dtype.name == "bfloat16":
        return X.astype(np.float32)
    if X.dtype == object and X.ndim == 1 and len(X) and _is_row(X[0]):
        return _stacked(X, where)
    return X


def _is_row(value: Any) -> bool:
    return isinstance(value, (list, tuple, np.ndarray)) or _is_tensor(value)


def _stacked(rows: Any, where: str) -> npt.NDArray[Any]:
    """Stack rows that are lists, arrays or tensors of numbers."""
    found: list[npt.NDArray[Any]] = []
    for number, row in enumerate(rows):
        if not _is_row(row):
            raise InputError(f"{where}, row {number}: no embedding, found {row!r}; drop these rows")
        values = from_torch(row, where) if _is_tensor(row) else np.asarray(row)
        if values.dtype.kind not in "fiub":
            raise _unreadable(row, f"{where}, row {number}", f"values of type {values.dtype}")
        if found and values.shape != found[0].shape:
            raise InputError(
                f"{where}, row {number}: expected shape {found[0].shape} as in row 0, found "
                f"{values.shape}; embed all rows with one model"
            )
        found.append(values)
    return np.stack(found)


def _from_polars(X: Any, where: str) -> Any:
    if hasattr(X, "collect"):
        raise InputError(f"{where}: expected a table with values, found a lazy one; .collect() it")
    if hasattr(X, "columns"):
        table = X.to_arrow()
        return as_plain(table, where) if any(is_list(f.type) for f in table.schema) else X
    return as_plain(X.to_arrow(), where)


def _from_pandas(X: Any, where: str) -> Any:
    if hasattr(X, "columns"):
        lists = [name for name, kind in X.dtypes.items() if _holds_rows(X[name], kind)]
        if not lists:
            return X
        X = X[_only(lists, list(X.columns), where)]
    if "pyarrow" in str(X.dtype):
        return as_plain(pa.array(X), where)
    return _from_numpy(X.to_numpy(), where)


def _holds_rows(column: Any, kind: Any) -> bool:
    if "pyarrow" in str(kind):
        return is_list(kind.pyarrow_dtype)
    return bool(kind.kind == "O") and len(column) > 0 and _is_row(column.iloc[0])


def check_vectors(vectors: FloatArray, where: str, *, first_row: int = 0) -> None:
    """Refuse embeddings that nothing can be learned from.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
        One embedding a row.
    where : str
        Put in front of the message: file and column.
    first_row : int, default=0
        Number of the first of these rows in its file.

    Raises
    ------
    InputError
        If the table is empty, a value is NaN or infinite, or a vector is zero. The message names
        the first such row (counted from 0), how many there are, and the remedy.
    """
    if vectors.ndim != 2:
        raise InputError(
            f"{where}: expected a matrix of shape (rows, features), found shape {vectors.shape}"
        )
    if vectors.shape[0] == 0 or vectors.shape[1] == 0:
        raise InputError(
            f"{where}: expected at least one embedding, found shape {vectors.shape}; "
            "check the file or the filter that selected its rows"
        )
    squared = squared_norms(vectors)
    bad = np.flatnonzero(~np.isfinite(squared))
    if len(bad):
        feature = np.flatnonzero(~np.isfinite(vectors[bad[0]]))
        at = f", feature {feature[0]}" if len(feature) else ""
        raise InputError(
            f"{where}, row {first_row + bad[0]}{at}: NaN, infinite or overflowing value "
            f"({len(bad)} such rows of {len(vectors)}); drop these rows or embed them again"
        )
    zero = np.flatnonzero(squared == 0)
    if len(zero):
        raise InputError(
            f"{where}, row {first_row + zero[0]}: zero vector, which has no direction "
            f"({len(zero)} such rows of {len(vectors)}); drop these rows or embed them again"
        )


def squared_norms(vectors: FloatArray) -> FloatArray:
    """Squared Euclidean norm of each row, shape (n,), in blocks and without a copy of the input."""
    norms = np.empty(len(vectors), dtype=np.float64)
    for block in row_blocks(len(vectors)):
        norms[block] = np.einsum("ij,ij->i", vectors[block], vectors[block])
    return norms


def vectors_from_arrow(column: pa.ChunkedArray, where: str, *, first_row: int = 0) -> FloatArray:
    """Turn a list column into a matrix, without a copy where its memory allows.

    Parameters
    ----------
    column : pyarrow.ChunkedArray
        Lists, of fixed or any length and any width of offset, list views or fixed-shape tensors,
        of float16, float32, float64 or int8 (a quantised embedding, taken as it is).
    where : str
        Put in front of messages: file and column.
    first_row : int, default=0
        Number of the first of these rows in its file.

    Returns
    -------
    ndarray of shape (n, d), float32
        A read-only view of the Arrow buffer for float32 in one chunk, else a copy.

    Raises
    ------
    InputError
        If the column holds no such lists, has null rows or values, or rows of different length.
    """
    kind = column.type
    if isinstance(kind, pa.FixedShapeTensorType) and len(kind.shape) == 1:
        column = pa.chunked_array([c.storage for c in column.chunks], kind.storage_type)
    value = column.type.value_type if is_list(column.type) else None
    if value is None or not (pa.types.is_floating(value) or pa.types.is_int8(value)):
        raise InputError(
            f"{where}: expected a list of float16, float32 or float64 in each row, found {kind}; "
            f"{_remedy(kind)}"
        )
    if len(column) == 0:
        return np.empty((0, 0), dtype=np.float32)
    if column.null_count:
        row = first_row + pc.index(pc.is_null(column), True).as_py()
        raise InputError(
            f"{where}, row {row}: no embedding ({column.null_count} such rows); drop these rows"
        )
    lengths = pc.list_value_length(column)
    dim = lengths[0].as_py()
    ragged = pc.index(pc.not_equal(lengths, dim), True).as_py()
    if ragged >= 0:
        raise InputError(
            f"{where}, row {first_row + ragged}: expected {dim} features as in row {first_row}, "
            f"found {lengths[ragged].as_py()}; embed all rows with one model"
        )
    chunks = [chunk.flatten() for chunk in column.chunks]
    start = first_row
    for values in chunks:
        if values.null_count:
            row = start + pc.index(pc.is_null(values), True).as_py() // dim
            raise InputError(f"{where}, row {row}: null among the features; drop or embed it again")
        start += len(values) // max(dim, 1)
    flat = [values.to_numpy(zero_copy_only=True) for values in chunks]
    if len(flat) == 1 and flat[0].dtype == np.float32:
        return flat[0].reshape(len(column), dim)  # type: ignore[no-any-return]
    joined = np.empty(len(column) * dim, dtype=np.float32)
    # What float32 cannot hold becomes infinite and is refused with its row, by check_vectors.
    with np.errstate(over="ignore"):
        np.concatenate(flat, out=joined, casting="same_kind")
    return joined.reshape(len(column), dim)


def _remedy(kind: pa.DataType) -> str:
    """Say what to do about a column that holds no embeddings, by what it holds instead."""
    types = pa.types
    if types.is_floating(kind):
        return "for a column a feature, name them all, as in --embedding 'f*'"
    if isinstance(kind, pa.FixedShapeTensorType) or (is_list(kind) and is_list(kind.value_type)):
        return "flatten each row to one list of numbers"
    if is_list(kind):
        return "write the numbers as float32, or as int8 beside a column of scales"
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return "bytes do not say what they hold: decode them and write lists of float32"
    return "name the column that holds them with --embedding"


def vectors_to_arrow(vectors: FloatArray) -> pa.FixedSizeListArray:
    """Turn a float32 matrix into a fixed-size list column, without a copy if it is contiguous.

    The type says that no value is null, which makes a Parquet file of them faster to read.
    """
    flat = np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1)
    value = pa.field("element", pa.float32(), nullable=False)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), type=pa.list_(value, vectors.shape[1]))


def canonical_values(vectors: FloatArray) -> npt.NDArray[np.float32]:
    """Round to the grid on which tables are written: 16 binary digits after the first, no -0.0.

    What is smaller than the 130 000th part of a number says nothing of a face, but can tell how
    or from what the number was made. Rounding is to the nearest, ties to even.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
        Embeddings.

    Returns
    -------
    ndarray of shape (n, d), float32
        Each within a relative 2**-17 of what was given.
    """
    given = np.ascontiguousarray(vectors, dtype=np.float32)
    rounded = np.empty_like(given)
    before, after = given.reshape(-1).view(np.uint32), rounded.reshape(-1)
    step, nearly_half = np.uint32(_DROPPED_BITS), np.uint32(2 ** (_DROPPED_BITS - 1) - 1)
    # What is made on the way stays in the cache: of all values at once it takes twice as long.
    for some in row_blocks(len(before), _CACHED_WORDS):
        words = before[some] >> step
        words &= np.uint32(1)
        words += nearly_half
        words += before[some]
        words &= np.uint32(2**32 - 2**_DROPPED_BITS)
        # -0.0 and 0.0 make 0.0.
        np.add(words.view(np.float32), np.float32(0), out=after[some])
    return rounded
