"""Parquet files in which a flipped bit is noticed: pages have checksums, column names a seal.

Parquet has no checksum of its footer. So what we write carries a digest of its columns, their names
and kinds, and of each of its notes (the metadata). Where the columns are others, the two places in
which they are described have to agree: another program changed them, and kept our notes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sensitivenets.atomic import atomic_file
from sensitivenets.errors import InputError

_SEAL = b"sensitivenets.seal"
_ARROW = b"ARROW:schema"
_KINDS = {
    "integer": pa.types.is_integer,
    "real": pa.types.is_floating,
    "true or false": pa.types.is_boolean,
    "time": pa.types.is_temporal,
    "bytes": lambda found: "binary" in str(found),
    "rows": pa.types.is_nested,
}
# What reading a damaged file raises; memory, where it claims an absurd size.
DAMAGED = (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError, NotImplementedError)


def sealed(schema: pa.Schema) -> pa.Schema:
    """Return a schema with a seal on its column names and its notes."""
    notes = {key: text for key, text in (schema.metadata or {}).items() if key != _SEAL}
    seal = {
        "columns": _digest(json.dumps(_columns(schema)).encode()),
        "notes": {key.decode("utf-8", "replace"): _digest(text) for key, text in notes.items()},
    }
    return schema.with_metadata(notes | {_SEAL: json.dumps(seal).encode()})


def check_seal(metadata: pq.FileMetaData, path: Path | str) -> None:
    """Refuse a file whose column names or notes are not those it was written with.

    Parameters
    ----------
    metadata : pyarrow.parquet.FileMetaData
        Its footer.
    path : Path
        The file.

    Raises
    ------
    InputError
        If they are not; a file without a seal, of another program, passes.
    """
    found = metadata.metadata or {}
    if _SEAL not in found:
        return
    try:
        seal = json.loads(found[_SEAL])
        columns = _columns(metadata.schema.to_arrow_schema())
        intact = seal["columns"] == _digest(json.dumps(columns).encode())
        intact = intact or columns == _columns_of_arrow(found)
        for key, digest in seal["notes"].items():
            intact &= _digest(found.get(key.encode(), b"")) == digest
    except (*DAMAGED, KeyError, TypeError, AttributeError):
        intact = False
    if not intact:
        raise InputError(
            f"{path}: damaged: its column names or its notes are not those it was written with; "
            "restore it from where it was saved"
        )


def _columns(schema: pa.Schema) -> list[list[str]]:
    """Return name and kind of each column; Parquet does not keep every type as it was."""
    return [[field.name, _kind(field.type)] for field in schema]


def _kind(found: pa.DataType) -> str:
    if pa.types.is_dictionary(found):
        return _kind(found.value_type)
    for kind, is_of_it in _KINDS.items():
        if is_of_it(found):
            return kind
    return "text" if "string" in str(found) else "other"


def _columns_of_arrow(notes: dict[bytes, bytes]) -> list[list[str]] | None:
    """Return the columns as Arrow describes them, beside Parquet's own description."""
    if _ARROW not in notes:
        return None
    content = base64.b64decode(notes[_ARROW], validate=True)
    return _columns(pa.ipc.read_schema(pa.py_buffer(content)))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table of labels, pairs or figures, atomically, with checksums and a seal."""
    with atomic_file(path) as temporary:
        whole = table.replace_schema_metadata(sealed(table.schema).metadata)
        pq.write_table(whole, temporary, compression="zstd", write_page_checksum=True)


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet file whole, and check it.

    Parameters
    ----------
    path : Path
        The file.
    columns : sequence of str, optional
        Those to read; all unless given.

    Returns
    -------
    pyarrow.Table
        Its metadata has the notes of the file, without the seal.

    Raises
    ------
    InputError
        If it is missing, damaged, or has two columns of one name.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            check_seal(file.metadata, path)
            require_different_names(file.schema_arrow.names, path)
            table = file.read(None if columns is None else list(columns))
    except InputError:
        raise
    except DAMAGED as error:
        raise unreadable(path, error) from error
    notes = {key: text for key, text in (table.schema.metadata or {}).items() if key != _SEAL}
    return table.replace_schema_metadata(notes)


def require_different_names(names: Sequence[str], path: Path) -> None:
    """Refuse two columns of one name: nobody can say which is meant."""
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{path}: two columns are named {twice!r}; rename one")


def unreadable(path: Path, error: Exception) -> InputError:
    """Return an error that says in a line why a Parquet file cannot be read."""
    reason: Any = str(error).splitlines()[0] if str(error) else type(error).__name__
    return InputError(f"{path}: cannot be read as .parquet: {reason:.300}")
