"""The kinds of file a table may come in: what is in one, and its rows batch by batch.

A format is two functions of a `Part`: `describe` tells its columns and rows, `batches` yields
them as Arrow. Neither keeps anything, so that any worker can read any part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from sensitivenets.connectors.postgres import parse_postgres
from sensitivenets.connectors.read_rows import describe_rows, row_batches
from sensitivenets.embeddings.array_files import (
    describe_npy,
    describe_npz,
    describe_safetensors,
    npy_batches,
    npz_batches,
    safetensors_batches,
)
from sensitivenets.embeddings.location import POSTGRES, Part
from sensitivenets.embeddings.parquet_files import check_seal
from sensitivenets.embeddings.part_facts import PartFacts, require_different, sliced
from sensitivenets.embeddings.text_files import (
    csv_batches,
    describe_csv,
    describe_json,
    json_batches,
)
from sensitivenets.errors import InputError

# Read at a time from a local file: without it, a whole row group would be, which may be all rows.
_BUFFER_BYTES = 1 << 16
# From a far one: a request takes as long as this many bytes.
_FAR_BUFFER_BYTES = 1 << 23
_ARROW_FILE = b"ARROW1"


@dataclass(frozen=True)
class Format:
    """How one kind of file is read.

    Attributes
    ----------
    describe : callable
        Of a part and the name of the embedding column: columns and rows of the part.
    batches : callable
        Of a part, its facts, the columns wanted, the first row wanted and the rows of a batch:
        record batches of these columns from that row on.
    """

    describe: Callable[[Part, str], PartFacts]
    batches: Callable[[Part, PartFacts, Sequence[str], int, int], Iterator[pa.RecordBatch]]


def _open_parquet(part: Part) -> pq.ParquetFile:
    far = not part.is_local
    file = pq.ParquetFile(
        part.filesystem.open_input_file(part.path),
        pre_buffer=False,
        buffer_size=_FAR_BUFFER_BYTES if far else _BUFFER_BYTES,
        page_checksum_verification=True,
    )
    check_seal(file.metadata, part.name)
    return file


def _describe_parquet(part: Part, embedding: str) -> PartFacts:
    del embedding  # a Parquet file names its columns
    with _open_parquet(part) as file:
        rows = int(file.metadata.num_rows)
        if rows != sum(_group_rows(file)):
            raise InputError(f"{part.name}: damaged: its footer gives two numbers of rows")
        return PartFacts(require_different(file.schema_arrow, part), rows)


def _group_rows(file: pq.ParquetFile) -> list[int]:
    groups = range(file.metadata.num_row_groups)
    return [int(file.metadata.row_group(number).num_rows) for number in groups]


def _parquet_batches(
    part: Part, facts: PartFacts, columns: Sequence[str], first: int, block_rows: int
) -> Iterator[pa.RecordBatch]:
    del facts
    with _open_parquet(part) as file:
        groups, start = [], 0
        for number, rows in enumerate(_group_rows(file)):
            end = start + rows
            if end > first:
                groups.append(number)
            else:
                first, end = first - (end - start), start
            start = end
        batches = file.iter_batches(
            block_rows, row_groups=groups, columns=list(columns), use_threads=False
        )
        yield from sliced(batches, first, block_rows)


def _open_arrow(part: Part) -> tuple[bool, pa.NativeFile]:
    """Open an Arrow file, mapped where it is local; True if it has a footer, False for a stream."""
    local = part.is_local
    file = pa.memory_map(part.path) if local else part.filesystem.open_input_file(part.path)
    has_footer = file.read(len(_ARROW_FILE)) == _ARROW_FILE
    file.seek(0)
    return has_footer, file


def _describe_arrow(part: Part, embedding: str) -> PartFacts:
    del embedding
    has_footer, file = _open_arrow(part)
    with file:
        if has_footer:
            reader = pa.ipc.open_file(file)
            return PartFacts(require_different(reader.schema, part), reader.count_rows())
        stream = pa.ipc.open_stream(file)
        return PartFacts(require_different(stream.schema, part), sum(len(one) for one in stream))


def _arrow_batches(
    part: Part, facts: PartFacts, columns: Sequence[str], first: int, block_rows: int
) -> Iterator[pa.RecordBatch]:
    wanted = [facts.schema.get_field_index(name) for name in columns]
    options = pa.ipc.IpcReadOptions(included_fields=sorted(wanted), use_threads=False)
    has_footer, file = _open_arrow(part)
    with file:
        batches: Iterator[pa.RecordBatch]
        if has_footer:
            reader = pa.ipc.open_file(file, options=options)
            batches = (reader.get_batch(k) for k in range(reader.num_record_batches))
        else:
            batches = iter(pa.ipc.open_stream(file, options=options))
        yield from sliced((one.select(list(columns)) for one in batches), first, block_rows)


def _describe_postgres(part: Part, embedding: str) -> PartFacts:
    return PartFacts(*describe_rows(parse_postgres(part.path), embedding))


def _postgres_batches(
    part: Part, facts: PartFacts, columns: Sequence[str], first: int, block_rows: int
) -> Iterator[pa.RecordBatch]:
    # The embedding is described first: only its column in the database may have another name.
    return row_batches(
        parse_postgres(part.path),
        facts.schema.names[0],
        columns,
        first=first,
        rows=facts.rows,
        batch_rows=block_rows,
    )


_PARQUET = Format(_describe_parquet, _parquet_batches)
_ARROW = Format(_describe_arrow, _arrow_batches)
_JSON = Format(describe_json, json_batches)

FORMATS: dict[str, Format] = {
    ".parquet": _PARQUET,
    ".pq": _PARQUET,
    ".npz": Format(describe_npz, npz_batches),
    ".npy": Format(describe_npy, npy_batches),
    ".safetensors": Format(describe_safetensors, safetensors_batches),
    ".csv": Format(describe_csv, csv_batches),
    ".jsonl": _JSON,
    ".ndjson": _JSON,
    ".feather": _ARROW,
    ".arrow": _ARROW,
    ".ipc": _ARROW,
}

_DATABASE = Format(_describe_postgres, _postgres_batches)


def format_of(part: Part) -> Format:
    """Return how a part is read."""
    return _DATABASE if part.suffix == POSTGRES else FORMATS[part.suffix]
