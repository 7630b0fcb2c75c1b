"""What a column of text holds: numbers only if all its values are, and no id loses its zeros."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

# 007 is no number but a name; 18 digits fit into 64 bits, and 15 before a point into a float64: of
# more, two ids could be one.
_INTEGER = r"^-?(0|[1-9][0-9]{0,17})$"
_NUMBER = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?([eE][-+]?[0-9]+)?$"
_WIDTH = {pa.null(): 0, pa.int64(): 1, pa.float64(): 2, pa.string(): 3}
TEXT_KINDS = frozenset(_WIDTH)


def kind_of_text(values: pa.Array | pa.ChunkedArray) -> pa.DataType:
    """Tell what values of text are.

    Parameters
    ----------
    values : pyarrow.Array or ChunkedArray of string
        With nulls where there is nothing.

    Returns
    -------
    pyarrow.DataType
        int64 or float64 if every value reads back as it was written, null if there is none, else
        string.

    Examples
    --------
    >>> kind_of_text(pa.array(["7", "12", None]))
    DataType(int64)
    >>> kind_of_text(pa.array(["007", "12"]))
    DataType(string)
    >>> kind_of_text(pa.array(["12345678901234567890"]))
    DataType(string)
    """
    if values.null_count == len(values):
        return pa.null()
    for pattern, kind in ((_INTEGER, pa.int64()), (_NUMBER, pa.float64())):
        if pc.all(pc.match_substring_regex(values, pattern)).as_py():
            return kind
    return pa.string()


def widest(kinds: Iterable[pa.DataType]) -> pa.DataType:
    """Return the narrowest of these types that holds the values of all: text holds any."""
    return max(kinds, key=_WIDTH.__getitem__, default=pa.null())
