"""Tables of codes as Parquet files: packed bits, labels, and the id of the key in the metadata."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sensitivenets.atomic import atomic_file
from sensitivenets.codes.code_table import CodeTable
from sensitivenets.codes.universal import CodeParameters
from sensitivenets.embeddings.parquet_files import own_metadata, read_parquet, sealed
from sensitivenets.errors import InputError

FORMAT_VERSION = 1
COLUMN = "code"

_METADATA = b"sensitivenets.code"


def is_code_file(path: str | Path) -> bool:
    """Tell whether a file is a Parquet file of codes, by its metadata alone."""
    path = Path(path)
    if path.suffix != ".parquet" or not path.is_file():
        return False
    try:
        return _METADATA in (pq.read_schema(path).metadata or {})
    except (pa.ArrowException, OSError):
        return False


def write_codes(table: CodeTable, path: str | Path) -> None:
    """Write codes as Parquet, atomically: 64 bytes a row at 512 bits, beside the labels.

    Parameters
    ----------
    table : CodeTable
        Codes and label columns.
    path : str or Path
        A file ending in ``.parquet``; replaced if it exists.

    Raises
    ------
    InputError
        If the name has another ending, or a label column has the name of the codes.
    """
    with code_writer(path) as write:
        write(table)


@contextmanager
def code_writer(path: str | Path) -> Iterator[Callable[[CodeTable], None]]:
    """Write codes block by block, as `write_codes` does.

    Parameters
    ----------
    path : str or Path
        A file ending in ``.parquet``; replaced if it exists.

    Yields
    ------
    callable
        Given the next codes, of one key, with the same label columns.

    Raises
    ------
    InputError
        If the name has another ending, or a label column has the name of the codes.
    """
    path = Path(path)
    if path.suffix != ".parquet":
        raise InputError(f"{path}: codes are written as .parquet; choose a name that ends so")
    with atomic_file(path) as temporary, ExitStack() as opened:
        writer: pq.ParquetWriter | None = None

        def write(table: CodeTable) -> None:
            nonlocal writer
            arrow = _as_arrow(table)
            if writer is None:
                writer = opened.enter_context(_parquet_writer(temporary, arrow))
            writer.write_table(arrow)

        yield write


def _as_arrow(table: CodeTable) -> pa.Table:
    if COLUMN in table.columns.column_names:
        raise InputError(
            f"{table.source}: a label column is named {COLUMN!r}, as the codes are; rename it"
        )
    n_bytes = table.packed.shape[1]
    buffer = pa.py_buffer(np.ascontiguousarray(table.packed))
    codes = pa.Array.from_buffers(pa.binary(n_bytes), len(table), [None, buffer])
    columns = {COLUMN: codes} | {n: table.columns[n] for n in table.columns.column_names}
    about = {
        "format_version": FORMAT_VERSION,
        "key_id": table.key_id,
        "n_features": table.parameters.n_features,
        "n_bits": table.parameters.n_bits,
        "scale": table.parameters.scale,
        "encoder": table.encoder,
    }
    made_by = own_metadata(table.columns.schema) or {}
    arrow = pa.table(columns).replace_schema_metadata(
        {_METADATA: json.dumps(about).encode()} | made_by
    )
    return arrow.replace_schema_metadata(sealed(arrow.schema).metadata)


def _parquet_writer(path: Path, arrow: pa.Table) -> pq.ParquetWriter:
    labels = [name for name in arrow.column_names if name != COLUMN]
    # Codes are as good as random bits, which do not compress.
    return pq.ParquetWriter(
        path,
        arrow.schema,
        use_dictionary=labels,
        compression=dict.fromkeys(arrow.column_names, "zstd") | {COLUMN: "none"},
        write_statistics=labels,
        write_page_checksum=True,
    )


def read_codes(path: str | Path) -> CodeTable:
    """Read codes that `write_codes` wrote.

    Parameters
    ----------
    path : str or Path
        A Parquet file.

    Returns
    -------
    CodeTable

    Raises
    ------
    InputError
        If the file is missing, damaged, holds no codes, or was written in a newer format.
    """
    path = Path(path)
    arrow = read_parquet(path)
    about = _about(arrow, path)
    names = arrow.column_names
    if names.count(COLUMN) != 1:
        raise InputError(
            f"{path}: expected one column {COLUMN!r}, found {names.count(COLUMN)}; encode again"
        )
    try:
        parameters = CodeParameters(about["n_features"], about["n_bits"], about["scale"])
        key_id, encoder = about["key_id"], about["encoder"]
    except (KeyError, InputError) as error:
        raise InputError(f"{path}: damaged description of the codes: {error}") from error
    if not isinstance(encoder, str | None):
        raise InputError(f"{path}: damaged description of the codes: encoder {encoder!r:.40}")
    column = arrow[COLUMN]
    n_bytes = parameters.n_bits // 8
    fits = pa.types.is_fixed_size_binary(column.type) and column.type.byte_width == n_bytes
    if not fits or column.null_count:
        raise InputError(
            f"{path}: column {COLUMN!r}: expected {n_bytes} bytes in each row, found {column.type} "
            f"with {column.null_count} nulls; encode again"
        )
    chunks = [
        np.frombuffer(chunk.buffers()[1], dtype=np.uint8)[
            chunk.offset * n_bytes : (chunk.offset + len(chunk)) * n_bytes
        ]
        for chunk in column.chunks
        if len(chunk)
    ]
    packed = np.concatenate(chunks or [np.empty(0, dtype=np.uint8)]).reshape(-1, n_bytes)
    labels = arrow.drop_columns([COLUMN])
    labels = labels.replace_schema_metadata(own_metadata(labels.schema))
    return CodeTable(packed, labels, key_id, parameters, encoder, str(path))


def _about(arrow: pa.Table, path: Path) -> dict[str, Any]:
    text = (arrow.schema.metadata or {}).get(_METADATA)
    if text is None:
        raise InputError(
            f"{path}: no codes: its metadata has no {_METADATA.decode()!r}; make codes with "
            "`sensitivenets encode`"
        )
    try:
        about = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: damaged description of the codes: {error}") from error
    version = about.get("format_version") if isinstance(about, dict) else None
    if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
        raise InputError(
            f"{path}: codes of format {version!r:.20}; this version reads formats up to "
            f"{FORMAT_VERSION}; upgrade sensitivenets"
        )
    return about  # type: ignore[no-any-return]
