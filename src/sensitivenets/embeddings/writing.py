"""Writing tables of embeddings as Parquet, block by block: there whole or not at all, anywhere."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from sensitivenets.embeddings.arrays import vectors_to_arrow
from sensitivenets.embeddings.location import Place, find_place
from sensitivenets.embeddings.parquet_files import own_metadata, sealed
from sensitivenets.embeddings.table import EmbeddingTable
from sensitivenets.errors import InputError

#: Writes the next rows of a table.
Write = Callable[[EmbeddingTable], None]

# Names that `whole_file` writes under, and leaves behind if its process is killed.
_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8}\.unfinished")


@contextmanager
def whole_file(place: Place) -> Iterator[pa.NativeFile]:
    """Yield a file to write to, which takes its name if the block succeeds.

    Parameters
    ----------
    place : Place
        The file to make or to replace, on any file system; folders above it are made.

    Yields
    ------
    pyarrow.NativeFile
        Under another name in the same folder; removed if the block raises.
    """
    folder, _, name = place.path.rpartition("/")
    unfinished = f".{name}.{secrets.token_hex(4)}.unfinished"
    unfinished = f"{folder}/{unfinished}" if folder or place.path.startswith("/") else unfinished
    files = place.filesystem
    if folder:
        files.create_dir(folder, recursive=True)
    try:
        # Closing a file in a bucket makes it appear: under no name that anyone reads.
        with files.open_output_stream(unfinished) as file:
            yield file
        files.move(unfinished, place.path)
    except BaseException:
        with suppress(OSError):
            files.delete_file(unfinished)
        raise


def sweep(place: Place) -> int:
    """Remove what processes that were killed left below a folder, and return how many files.

    Nobody else may be writing there.
    """
    if place.info().type != fs.FileType.Directory:
        return 0
    left = [p for p in place.files_below(place.path) if _UNFINISHED.fullmatch(p.rpartition("/")[2])]
    for path in left:
        place.filesystem.delete_file(path)
    return len(left)


@contextmanager
def table_writer(
    path: str | Path | Place, metadata: Mapping[bytes, bytes] | None = None
) -> Iterator[Write]:
    """Write a table as Parquet, a row group for each block of rows.

    Parameters
    ----------
    path : str, Path, URL or Place
        A file; replaced if it exists.
    metadata : mapping of bytes to bytes, optional
        Put into the file beside what the tables bring.

    Yields
    ------
    callable
        Given the next rows, all with the same columns.

    Raises
    ------
    InputError
        If no row was written.
    """
    place = path if isinstance(path, Place) else find_place(path)
    writer: pq.ParquetWriter | None = None
    with whole_file(place) as file:

        def write(table: EmbeddingTable) -> None:
            nonlocal writer
            if writer is None:
                writer = _parquet_writer(file, table, metadata or {})
            vectors = vectors_to_arrow(table.vectors)
            columns = [vectors, *table.columns.columns]
            writer.write_table(pa.Table.from_arrays(columns, schema=writer.schema))

        try:
            yield write
            if writer is None:
                raise InputError(f"{place.shown}: expected at least one row to write, found none")
        except BaseException:
            if writer is not None:
                with suppress(OSError):
                    writer.close()
            raise
        writer.close()


def _parquet_writer(
    file: pa.NativeFile, table: EmbeddingTable, metadata: Mapping[bytes, bytes]
) -> pq.ParquetWriter:
    kind = vectors_to_arrow(table.vectors[:0]).type
    fields = [pa.field(table.embedding, kind, nullable=False), *table.columns.schema]
    known = dict(own_metadata(table.columns.schema) or {}) | dict(metadata)
    labels = table.columns.column_names
    # Embeddings do not compress (8 % by zstd, for half the speed of reading): neither that nor
    # dictionaries and statistics on them.
    compression = dict.fromkeys([table.embedding, *labels], "zstd")
    return pq.ParquetWriter(
        file,
        sealed(pa.schema(fields, known or None)),
        use_dictionary=labels,
        compression=compression | {f"{table.embedding}.list.element": "none"},
        write_statistics=labels,
        write_page_checksum=True,
    )
