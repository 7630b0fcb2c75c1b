"""Reading and writing tables of embeddings: Parquet, .npz, .npy beside .csv."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sensitivenets.atomic import atomic_file, check_table_name
from sensitivenets.embeddings.arrays import FloatArray, vectors_from_arrow, vectors_to_arrow
from sensitivenets.embeddings.csv_file import read_csv
from sensitivenets.embeddings.parquet_files import (
    check_seal,
    require_different_names,
    sealed,
)
from sensitivenets.embeddings.table import EmbeddingTable
from sensitivenets.errors import InputError

# What reading a damaged or hostile file raises; memory, where it claims an absurd shape.
_DAMAGED = (
    pa.ArrowException,
    ValueError,
    KeyError,
    EOFError,
    OSError,
    MemoryError,
    OverflowError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
)

_MOST_MEMBERS = 10_000
# Bytes, and how many times smaller packed labels, not to speak of embeddings, ever are.
_LARGE, _MOST_PACKED = 1 << 30, 200


def read_table(path: str | Path, *, embedding: str = "embedding") -> EmbeddingTable:
    """Read a table of embeddings.

    Parameters
    ----------
    path : str or Path
        ``.parquet``: `embedding` is a (fixed-size) list column, all other columns are labels.
        ``.npz``: an array named `embedding` and one array for each label column.
        ``.npy``: the matrix; its labels are in the ``.csv`` of the same name, if there is one.
    embedding : str, default="embedding"
        Name of the embedding column or array.

    Returns
    -------
    EmbeddingTable
        With float32 vectors; float16 and float64 are converted.

    Raises
    ------
    InputError
        If the file is missing, of another kind, damaged, or holds unusable embeddings.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix)
    if reader is None:
        raise InputError(f"{path}: expected one of {', '.join(_READERS)}, found {path.suffix!r}")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        vectors, columns = reader(path, embedding)
    except InputError:
        raise
    except _DAMAGED as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: cannot be read as {path.suffix}: {reason}") from error
    return EmbeddingTable(vectors, columns, str(path), embedding)


def _require(name: str, present: list[str], path: Path) -> None:
    if name not in present:
        raise InputError(
            f"{path}: no column {name!r}; it has {', '.join(map(repr, present)) or 'none'}; "
            "name the embedding column with --embedding"
        )


def _read_parquet(path: Path, embedding: str) -> tuple[FloatArray, pa.Table]:
    footer = pq.read_metadata(path, memory_map=True)
    check_seal(footer, path)
    names = footer.schema.to_arrow_schema().names
    require_different_names(names, path)
    _require(embedding, names, path)
    table = pq.read_table(path, memory_map=True, page_checksum_verification=True)
    vectors = vectors_from_arrow(table[embedding], f"{path}: column {embedding!r}")
    return vectors, table.drop_columns([embedding])


def _read_npz(path: Path, embedding: str) -> tuple[FloatArray, pa.Table]:
    # Opened here: np.load would leave a damaged archive open.
    with path.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as arrays:
        _require_small(arrays.zip, path)
        _require(embedding, arrays.files, path)
        # A member that is no array comes as bytes.
        columns = {name: np.asarray(arrays[name]) for name in arrays.files}
    vectors = _as_float32(columns.pop(embedding), f"{path}: array {embedding!r}")
    for name, values in columns.items():
        if values.shape != (len(vectors),):
            raise InputError(
                f"{path}: array {name!r}: expected shape ({len(vectors)},), found {values.shape}"
            )
    return vectors, pa.table({n: pa.array(v, from_pandas=True) for n, v in columns.items()})


def _require_small(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse an archive of thousands of arrays, or a small one that unpacks to gigabytes."""
    members = archive.infolist()
    if len(members) > _MOST_MEMBERS:
        raise InputError(f"{path}: expected {_MOST_MEMBERS} arrays at most, found {len(members)}")
    unpacked = sum(one.file_size for one in members)
    packed = sum(one.compress_size for one in members)
    if unpacked > _LARGE and unpacked > _MOST_PACKED * packed:
        raise InputError(
            f"{path}: {packed} bytes that unpack to {unpacked}; write it with numpy.savez"
        )


def _read_npy(path: Path, embedding: str) -> tuple[FloatArray, pa.Table]:
    del embedding  # a .npy file holds one array and no name
    matrix = np.lib.format.open_memmap(path, mode="r")
    vectors = _as_float32(matrix, str(path))
    labels = path.with_suffix(".csv")
    if not labels.is_file():
        return vectors, pa.table({})
    return vectors, read_csv(labels)


def _as_float32(array: FloatArray, where: str) -> FloatArray:
    if array.dtype.kind != "f" or array.ndim != 2:
        raise InputError(
            f"{where}: expected a float matrix of shape (rows, features), found {array.dtype} "
            f"of shape {array.shape}"
        )
    # What float32 cannot hold becomes infinite and is refused with its row, by check_vectors.
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


_READERS: dict[str, Callable[[Path, str], tuple[FloatArray, pa.Table]]] = {
    ".parquet": _read_parquet,
    ".npz": _read_npz,
    ".npy": _read_npy,
}


def write_table(
    table: EmbeddingTable, path: str | Path, notes: Mapping[str, str] | None = None
) -> None:
    """Write a table of embeddings as Parquet, atomically.

    Parameters
    ----------
    table : EmbeddingTable
        Embeddings and label columns.
    path : str or Path
        A file ending in ``.parquet``; replaced if it exists.
    notes : mapping of str to str, optional
        Kept in the file's metadata, such as what made the table.

    Raises
    ------
    InputError
        If the name has another ending.
    """
    path = Path(path)
    check_table_name(path)
    vectors = vectors_to_arrow(table.vectors)
    fields = [pa.field(table.embedding, vectors.type, nullable=False), *table.columns.schema]
    whole = pa.Table.from_arrays(
        [vectors, *table.columns.columns], schema=sealed(pa.schema(fields, notes))
    )
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
