"""Reading a whole table of embeddings, and writing one."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sensitivenets.atomic import atomic_file, check_table_name
from sensitivenets.embeddings.arrays import vectors_to_arrow
from sensitivenets.embeddings.parquet_files import own_metadata, sealed
from sensitivenets.embeddings.source import open_table
from sensitivenets.embeddings.table import EmbeddingTable


def read_table(path: str | Path, *, embedding: str = "embedding") -> EmbeddingTable:
    """Read a table of embeddings into memory; `open_table` reads it block by block.

    Parameters
    ----------
    path : str or Path
        A file, a folder of files, a glob or a URL such as ``s3://bucket/faces``. Files are
        ``.parquet`` or ``.pq``; ``.feather``, ``.arrow`` or ``.ipc``; ``.csv``; ``.jsonl`` or
        ``.ndjson``; ``.npz`` with an array of each column; ``.npy`` or ``.safetensors``, with
        labels in the ``.csv`` of the same name. Hive partitions are columns, and so are the labels
        of a folder that Hugging Face `datasets` saved.
    embedding : str, default="embedding"
        Name of the embedding column or array: lists of floats, of int8 (times the column of the
        same name with ``_scale``, if there is one), or of numbers in JSON. A pattern such as
        ``f*`` names columns that are a feature each.

    Returns
    -------
    EmbeddingTable
        With float32 vectors; float16 and float64 are converted.

    Raises
    ------
    InputError
        If the file is missing, of another kind, damaged, or holds unusable embeddings.
    """
    return open_table(path, embedding=embedding).read()


def write_table(table: EmbeddingTable, path: str | Path) -> None:
    """Write a table of embeddings as Parquet, atomically.

    Parameters
    ----------
    table : EmbeddingTable
        Embeddings and label columns; what this library noted in their metadata is kept.
    path : str or Path
        A file ending in ``.parquet``; replaced if it exists.

    Raises
    ------
    InputError
        If the name has another ending.
    """
    path = Path(path)
    check_table_name(path)
    vectors = vectors_to_arrow(table.vectors)
    fields = [pa.field(table.embedding, vectors.type, nullable=False), *table.columns.schema]
    schema = sealed(pa.schema(fields, own_metadata(table.columns.schema)))
    whole = pa.Table.from_arrays([vectors, *table.columns.columns], schema=schema)
    # Embeddings do not compress (8 % by zstd, for half the speed of reading): neither that nor
    # dictionaries and statistics on them.
    compression = dict.fromkeys(whole.column_names, "zstd") | {
        f"{table.embedding}.list.element": "none"
    }
    with atomic_file(path) as temporary:
        pq.write_table(
            whole,
            temporary,
            use_dictionary=table.columns.column_names,
            compression=compression,
            write_statistics=table.columns.column_names,
            write_page_checksum=True,
        )
