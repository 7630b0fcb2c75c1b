"""Tables in arrays: .npy and .safetensors with labels beside them in .csv, and .npz."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import fs

from sensitivenets.embeddings.location import Part
from sensitivenets.embeddings.part_facts import PartFacts
from sensitivenets.embeddings.text_files import read_labels
from sensitivenets.errors import InputError

Array = npt.NDArray[Any]

_MOST_MEMBERS = 10_000
# Bytes, and how many times smaller packed labels, not to speak of embeddings, ever are.
_LARGE, _MOST_PACKED = 1 << 30, 200


@contextmanager
def _local(part: Part) -> Iterator[Path]:
    """Yield a path on this machine: these formats are read by their own libraries."""
    if part.is_local:
        yield Path(part.path)
        return
    with tempfile.TemporaryDirectory(prefix="sensitivenets-") as folder:
        path = Path(folder) / f"part{part.suffix}"
        fs.copy_files(part.path, str(path), part.filesystem, fs.LocalFileSystem())
        yield path


def _matrix_type(dtype: np.dtype[Any], shape: tuple[int, ...], where: str) -> pa.DataType:
    if (dtype.kind != "f" and dtype != np.int8) or len(shape) != 2:
        raise InputError(
            f"{where}: expected a float matrix of shape (rows, features), found {dtype} "
            f"of shape {shape}"
        )
    return pa.list_(pa.from_numpy_dtype(dtype), shape[1])


def _as_lists(rows: Array) -> pa.FixedSizeListArray:
    flat = np.ascontiguousarray(rows).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), rows.shape[1])


def _batches(
    blocks: Iterator[Array], embedding: str, labels: pa.Table, columns: Sequence[str], first: int
) -> Iterator[pa.RecordBatch]:
    """Put the labels beside blocks of a matrix."""
    for block in blocks:
        beside = labels.slice(first, len(block))
        first += len(block)
        made = {name: beside[name] for name in columns if name != embedding}
        if embedding in columns:
            made[embedding] = pa.chunked_array([_as_lists(block)])
        table = pa.table({name: made[name] for name in columns})
        yield from table.combine_chunks().to_batches()


def _facts(
    kind: pa.DataType, n_rows: int, embedding: str, labels: pa.Table, name: str
) -> PartFacts:
    if labels.num_columns and labels.num_rows != n_rows:
        raise InputError(
            f"{name}: expected one label row for each of {n_rows} embeddings, found "
            f"{labels.num_rows}"
        )
    return PartFacts(pa.schema([pa.field(embedding, kind), *labels.schema]), n_rows)


def describe_npy(part: Part, embedding: str) -> PartFacts:
    """Tell rows and labels of a .npy file, whose one array has no name."""
    with _local(part) as path:
        matrix = np.lib.format.open_memmap(path, mode="r")
        kind = _matrix_type(matrix.dtype, matrix.shape, part.name)
        return _facts(kind, len(matrix), embedding, read_labels(part), part.name)


def npy_batches(
    part: Part, facts: PartFacts, columns: Sequence[str], first: int, block_rows: int
) -> Iterator[pa.RecordBatch]:
    """Yield rows of a .npy file, mapped and not copied."""
    embedding = facts.schema.names[0]
    with _local(part) as path:
        matrix = np.asarray(np.lib.format.open_memmap(path, mode="r"))
        blocks = (matrix[k : k + block_rows] for k in range(first, len(matrix), block_rows))
        yield from _batches(blocks, embedding, read_labels(part), columns, first)


@contextmanager
def _tensors(part: Part) -> Iterator[Any]:
    from safetensors import SafetensorError, safe_open

    with _local(part) as path:
        try:
            with safe_open(path, "numpy") as file:
                yield file
        except SafetensorError as error:
            raise ValueError(str(error)) from error


def describe_safetensors(part: Part, embedding: str) -> PartFacts:
    """Tell tensors and rows of a .safetensors file; its labels may be in a .csv beside it."""
    with _tensors(part) as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        if embedding not in shapes:
            return PartFacts(pa.schema([(n, pa.list_(pa.float32())) for n in shapes]), 0)
        if file.get_slice(embedding).get_dtype() == "BF16":
            raise InputError(
                f"{part.name}: tensor {embedding!r}: numpy has no bfloat16; save it as float16 or "
                "float32"
            )
        where = f"{part.name}: tensor {embedding!r}"
        first = np.asarray(file.get_slice(embedding)[:1])
        kind = _matrix_type(first.dtype, shapes[embedding], where)
        labels = _labels_of(file, part, embedding)
        return _facts(kind, shapes[embedding][0], embedding, labels, part.name)


def _labels_of(file: Any, part: Part, embedding: str) -> pa.Table:
    labels = read_labels(part)
    for name in file.keys():  # noqa: SIM118
        if name != embedding and len(file.get_slice(name).get_shape()) == 1:
            labels = labels.append_column(name, pa.array(file.get_tensor(name)))
    return labels


def safetensors_batches(
    part: Part, facts: PartFacts, columns: Sequence[str], first: int, block_rows: int
) -> Iterator[pa.RecordBatch]:
    """Yield rows of a .safetensors file."""
    embedding = facts.schema.names[0]
    with _tensors(part) as file:
        matrix = file.get_slice(embedding)
        # A slice that ends behind the last row is refused.
        ends = ((k, min(k + block_rows, facts.rows)) for k in range(first, facts.rows, block_rows))
        blocks = (matrix[start:end] for start, end in ends)
        labels = _labels_of(file, part, embedding)
        yield from _batches(blocks, embedding, labels, columns, first)


def describe_npz(part: Part, embedding: str) -> PartFacts:
    """Tell arrays and rows of a .npz file, of which the embedding is not read yet."""
    with _local(part) as path, zipfile.ZipFile(path) as archive:
        _require_small(archive, part.name)
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        if embedding not in names:
            return PartFacts(pa.schema([(n, pa.list_(pa.float32())) for n in names]), 0)
        where = f"{part.name}: array {embedding!r}"
        with archive.open(f"{embedding}.npy") as member:
            shape, _, dtype = _header(member, where)
        kind = _matrix_type(dtype, shape, where)
        labels = _npz_labels(archive, embedding, shape[0], part.name)
        return _facts(kind, shape[0], embedding, labels, part.name)


def _require_small(archive: zipfile.ZipFile, where: str) -> None:
    """Refuse an archive of thousands of arrays, or a small one that unpacks to gigabytes."""
    members = archive.infolist()
    if len(members) > _MOST_MEMBERS:
        raise InputError(f"{where}: expected {_MOST_MEMBERS} arrays at most, found {len(members)}")
    unpacked = sum(one.file_size for one in members)
    packed = sum(one.compress_size for one in members)
    if unpacked > _LARGE and unpacked > _MOST_PACKED * packed:
        raise InputError(
            f"{where}: {packed} bytes that unpack to {unpacked}; write it with numpy.savez"
        )


def npz_batches(
    part: Part, facts: PartFacts, columns: Sequence[str], first: int, block_rows: int
) -> Iterator[pa.RecordBatch]:
    """Yield rows of a .npz file, unpacked block by block."""
    embedding = facts.schema.names[0]
    with _local(part) as path, zipfile.ZipFile(path) as archive:
        labels = _npz_labels(archive, embedding, facts.rows, part.name)
        with archive.open(f"{embedding}.npy") as member:
            blocks = _member_blocks(member, first, block_rows, part.name)
            yield from _batches(blocks, embedding, labels, columns, first)


def _npz_labels(archive: zipfile.ZipFile, embedding: str, n_rows: int, where: str) -> pa.Table:
    columns = {}
    for member in archive.namelist():
        name = member.removesuffix(".npy")
        if name == embedding:
            continue
        with archive.open(member) as file:
            values = np.lib.format.read_array(file, allow_pickle=False)
        if values.shape != (n_rows,):
            raise InputError(
                f"{where}: array {name!r}: expected shape ({n_rows},), found {values.shape}"
            )
        columns[name] = pa.array(values, from_pandas=True)
    return pa.table(columns)


def _header(file: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(file)
    except ValueError as error:
        raise InputError(f"{where}: expected a float matrix, found no array: {error}") from error
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise InputError(f"{where}: written in version {version} of .npy; save it again")
    return read(file)


def _member_blocks(member: IO[bytes], first: int, block_rows: int, where: str) -> Iterator[Array]:
    shape, by_columns, dtype = _header(member, where)
    if by_columns:
        # Column after column: there is no block of rows to be had.
        values = np.frombuffer(member.read(), dtype=dtype).reshape(shape[::-1]).T
        yield from (values[k : k + block_rows] for k in range(first, shape[0], block_rows))
        return
    row_bytes = shape[1] * dtype.itemsize
    member.seek(first * row_bytes, 1)
    for start in range(first, shape[0], block_rows):
        wanted = min(block_rows, shape[0] - start)
        read = member.read(wanted * row_bytes)
        if len(read) < wanted * row_bytes:
            raise InputError(
                f"{where}: cannot be read as .npz: expected {shape[0]} rows, it ends within row "
                f"{start + len(read) // max(row_bytes, 1)}"
            )
        yield np.frombuffer(read, dtype=dtype).reshape(wanted, shape[1])
