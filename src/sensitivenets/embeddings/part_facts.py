"""What is known of a part before its rows are read, and rows cut into blocks of one size."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa

from sensitivenets.embeddings.location import Part
from sensitivenets.errors import InputError

# What reading a damaged or hostile file raises; memory, where it claims an absurd shape.
_DAMAGED = (
    pa.ArrowException,
    ValueError,
    KeyError,
    IndexError,
    EOFError,
    OSError,
    MemoryError,
    OverflowError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
)


@dataclass(frozen=True)
class PartFacts:
    """Columns and rows of a part.

    Attributes
    ----------
    schema : pyarrow.Schema
        Of the columns in the file.
    rows : int
        How many there are.
    """

    schema: pa.Schema
    rows: int


def require_different(schema: pa.Schema, part: Part) -> pa.Schema:
    """Return the schema if no two of its columns have one name.

    Raises
    ------
    InputError
        If two have.
    """
    names = schema.names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{part.name}: two columns are named {twice!r}; rename one")
    return schema


def sliced(
    batches: Iterable[pa.RecordBatch], first: int, block_rows: int
) -> Iterator[pa.RecordBatch]:
    """Leave out the first rows, and cut batches that are longer than wanted.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch
        Of any length.
    first : int
        Rows to leave out.
    block_rows : int
        Rows of a batch, at most.

    Yields
    ------
    pyarrow.RecordBatch
        None of them empty.
    """
    for batch in batches:
        left_out = min(first, len(batch))
        first -= left_out
        for start in range(left_out, len(batch), block_rows):
            yield batch.slice(start, block_rows)


@contextmanager
def readable(part: Part) -> Iterator[None]:
    """Say of what goes wrong in reading which file it was."""
    try:
        yield
    except InputError:
        raise
    except _DAMAGED as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{part.name}: cannot be read as {part.suffix}: {reason}") from error
