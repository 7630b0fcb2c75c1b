"""Reading a whole table of embeddings, and writing one."""

from __future__ import annotations

from pathlib import Path

from sensitivenets.atomic import check_table_name
from sensitivenets.embeddings.source import open_table
from sensitivenets.embeddings.table import EmbeddingTable
from sensitivenets.embeddings.writing import table_writer


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
    check_table_name(Path(path))
    with table_writer(path) as write:
        write(table)
