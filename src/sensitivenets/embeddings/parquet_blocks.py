"""A Parquet table of embeddings block by block, in memory that does not depend on its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sensitivenets.embeddings.arrays import FloatArray, check_vectors, vectors_from_arrow
from sensitivenets.errors import InputError, some_of

# Read at a time from the file: without it, a whole row group would be, which may be all rows.
_BUFFER_BYTES = 1 << 16


@dataclass(frozen=True)
class Block:
    """Consecutive rows of a table.

    Attributes
    ----------
    start : int
        Position of the first row in the table, counted from 0.
    vectors : ndarray of shape (b, d), float32
        Embeddings, finite and never zero; a read-only view of what was read where possible.
    columns : pyarrow.Table
        The label columns that were asked for; b rows.
    """

    start: int
    vectors: FloatArray
    columns: pa.Table

    def __len__(self) -> int:
        return len(self.vectors)


def count_rows(path: str | Path) -> int:
    """Return the number of rows of a Parquet file, from its footer.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    with _open(Path(path)) as file:
        return int(file.metadata.num_rows)


def parquet_blocks(
    path: str | Path,
    columns: Sequence[str] = (),
    *,
    embedding: str = "embedding",
    block_rows: int = 16_384,
) -> Iterator[Block]:
    """Read a table of embeddings in blocks, the next one while the last is worked on.

    Parameters
    ----------
    path : str or Path
        A Parquet file (see `read_table`).
    columns : sequence of str, default=()
        Label columns to read.
    embedding : str, default="embedding"
        Name of the embedding column: a (fixed-size) list of float16, float32 or float64.
    block_rows : int, default=16384
        Rows of a block, at most; three blocks are in memory at a time.

    Yields
    ------
    Block
        In the order of the rows.

    Raises
    ------
    InputError
        If the file is missing or damaged, a column is not there, or embeddings cannot be used.
    """
    path = Path(path)
    with _open(path) as file, ThreadPoolExecutor(1) as reader:
        _require_columns(file, path, (embedding, *columns))
        wanted = list(dict.fromkeys([embedding, *columns]))
        batches = file.iter_batches(block_rows, columns=wanted, use_threads=False)
        start, width = 0, None
        ahead = reader.submit(next, batches, None)
        while True:
            try:
                batch = ahead.result()
            except (pa.ArrowException, OSError) as error:
                raise _damaged(path, error) from error
            if batch is None:
                break
            ahead = reader.submit(next, batches, None)
            if len(batch):
                block = _block(batch, start, embedding, columns, path)
                width = width or block.vectors.shape[1]
                _require_width(block, width, f"{path}: column {embedding!r}")
                start += len(block)
                yield block
    if start == 0:
        raise InputError(f"{path}: expected at least one embedding, found none")


def read_columns(path: str | Path, columns: Sequence[str]) -> pa.Table:
    """Read the labels of all rows, and no embeddings.

    Raises
    ------
    InputError
        If the file is missing or damaged, or a column is not there.
    """
    path = Path(path)
    with _open(path) as file:
        _require_columns(file, path, columns)
        try:
            return file.read(list(columns))
        except (pa.ArrowException, OSError) as error:
            raise _damaged(path, error) from error


def _require_columns(file: pq.ParquetFile, path: Path, names: Sequence[str]) -> None:
    present = file.schema_arrow.names
    for name in names:
        if name not in present:
            raise InputError(f"{path}: no column {name!r}; it has {some_of(present)}")


def _open(path: Path) -> pq.ParquetFile:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        return pq.ParquetFile(
            path, pre_buffer=False, buffer_size=_BUFFER_BYTES, page_checksum_verification=True
        )
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> InputError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return InputError(f"{path}: cannot be read as Parquet: {reason}")


def _block(
    batch: pa.RecordBatch, start: int, embedding: str, columns: Sequence[str], path: Path
) -> Block:
    table = pa.Table.from_batches([batch])
    where = f"{path}: column {embedding!r}, counted from row {start}"
    vectors = vectors_from_arrow(table[embedding], where)
    check_vectors(vectors, where)
    return Block(start, vectors, table.select(list(columns)))


def _require_width(block: Block, width: int, where: str) -> None:
    if block.vectors.shape[1] != width:
        raise InputError(
            f"{where}, row {block.start}: expected {width} features as in row 0, found "
            f"{block.vectors.shape[1]}; embed all rows with one model"
        )
