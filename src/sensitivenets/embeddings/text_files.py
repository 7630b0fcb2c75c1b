"""Tables of text: CSV with a column for each feature or lists in JSON, and JSON lines."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
from pyarrow.fs import FileType, LocalFileSystem

from sensitivenets.embeddings.arrays import is_list
from sensitivenets.embeddings.embedding_column import EmbeddingColumn
from sensitivenets.embeddings.location import Part
from sensitivenets.embeddings.part_facts import PartFacts, readable, require_different, sliced
from sensitivenets.embeddings.text_types import kind_of_text, widest
from sensitivenets.errors import InputError

# Parsed at a time; a row must fit into it.
_BLOCK_BYTES = 1 << 22
# Enough for the names of some thousand features and the first row.
_HEAD_BYTES = 1 << 20
_DELIMITERS = ",;\t|"
_MARKS_OF_OTHER_ENCODINGS = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")


@dataclass(frozen=True)
class _Dialect:
    """How a CSV is written.

    Attributes
    ----------
    names : tuple of str
        Its columns.
    delimiter : str
        What is between them.
    decimal_point : str
        A comma where semicolons are between the columns and numbers are written so.
    """

    names: tuple[str, ...]
    delimiter: str
    decimal_point: str


def _dialect(part: Part) -> _Dialect:
    with part.filesystem.open_input_stream(part.path) as file:
        start = file.read(_HEAD_BYTES)
    _refuse_other_encodings(start.partition(b"\n")[0], part.name)
    head = start.decode("utf-8-sig", errors="replace")
    header, _, rest = head.partition("\n")
    outside_quotes = re.sub(r'"[^"]*"', "", header)
    delimiter = max(_DELIMITERS, key=outside_quotes.count)
    first = rest.partition("\n")[0].split(delimiter)
    comma = delimiter != "," and any(re.fullmatch(r"\s*-?\d+,\d+\s*", cell) for cell in first)
    options = pyarrow.csv.ParseOptions(delimiter=delimiter)
    block = pa.BufferReader((header + "\n").encode())
    names = pyarrow.csv.read_csv(block, parse_options=options).column_names
    return _Dialect(tuple(names), delimiter, "," if comma else ".")


def _refuse_other_encodings(header: bytes, where: str) -> None:
    """Refuse a header that would be read as other names."""
    expected = f"{where}: expected text in UTF-8"
    if header.startswith(_MARKS_OF_OTHER_ENCODINGS) or b"\0" in header:
        raise InputError(f"{expected}, found UTF-16 or UTF-32; save it as UTF-8")
    try:
        header.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{expected}; {error}; save it as UTF-8") from error


def _open_csv(
    part: Part, dialect: _Dialect, types: dict[str, pa.DataType]
) -> pyarrow.csv.CSVStreamingReader:
    return pyarrow.csv.open_csv(
        part.filesystem.open_input_stream(part.path),
        read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=dialect.delimiter, newlines_in_values=True
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=list(types),
            column_types=types,
            strings_can_be_null=True,
            null_values=[""],
            decimal_point=dialect.decimal_point,
        ),
    )


def describe_csv(part: Part, embedding: str, text: Collection[str] = ()) -> PartFacts:
    """Tell columns and rows of a CSV, which needs one reading of its labels.

    What its first rows look like decides nothing: a column is numbers only if all of it is, and
    none of `text`. All columns are labels where no embedding is named.

    Raises
    ------
    InputError
        If two columns have one name, or a feature is no number.
    """
    dialect = _dialect(part)
    require_different(pa.schema([(name, pa.string()) for name in dialect.names]), part)
    features: tuple[str, ...] = ()
    if embedding and embedding not in dialect.names:
        numbers = pa.schema([pa.field(name, pa.float32()) for name in dialect.names])
        try:
            features = EmbeddingColumn.find(numbers, embedding, part.name).columns
        except InputError:
            features = ()  # whoever asked for embeddings is told what there is
    labels = [name for name in dialect.names if name not in {embedding, *features}]
    kinds = {name: pa.string() if name in text else pa.null() for name in labels}
    rows = 0
    # Without labels, one column is read to count.
    counted = dict.fromkeys(labels or dialect.names[:1], pa.string())
    for batch in _open_csv(part, dialect, counted):
        rows += len(batch)
        for name in labels:
            if kinds[name] != pa.string():
                kinds[name] = widest([kinds[name], kind_of_text(batch.column(name))])
    types = kinds | dict.fromkeys(features, pa.float32())
    return PartFacts(
        pa.schema([(name, types.get(name, pa.string())) for name in dialect.names]), rows
    )


def csv_batches(
    part: Part, facts: PartFacts, columns: Sequence[str], first: int, block_rows: int
) -> Iterator[pa.RecordBatch]:
    """Yield rows of a CSV."""
    types = {name: facts.schema.field(name).type for name in columns}
    # A column of nothing is read as text of nothing.
    types = {name: pa.string() if kind == pa.null() else kind for name, kind in types.items()}
    yield from sliced(_open_csv(part, _dialect(part), types), first, block_rows)


def read_labels(part: Part) -> pa.Table:
    """Read the labels that are in the ``.csv`` beside an array, if there is one.

    Returns
    -------
    pyarrow.Table
        Without columns if there is none.
    """
    path = part.path.removesuffix(part.suffix) + ".csv"
    if part.filesystem.get_file_info(path).type != FileType.File:
        return pa.table({})
    name = part.name.removesuffix(part.suffix) + ".csv"
    return _read(Part(name, path, part.filesystem, ".csv", part.relative))


def read_csv(path: Path, text: Collection[str] = ()) -> pa.Table:
    """Read a .csv of labels with a header, UTF-8; an empty field is null.

    Parameters
    ----------
    path : Path
        The file.
    text : collection of str, default=()
        Columns that are text whatever they hold.

    Returns
    -------
    pyarrow.Table
        Numbers or text. Numbers with leading zeros, or of more digits than a number keeps, stay
        text: ``01`` and ``1`` are two people.

    Raises
    ------
    InputError
        If it cannot be read, is of another encoding, or two columns have one name.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    return _read(Part(str(path), str(path), LocalFileSystem(), ".csv", path.name), text)


def _read(part: Part, text: Collection[str] = ()) -> pa.Table:
    with readable(part):
        facts = describe_csv(part, "", text)
        batches = list(csv_batches(part, facts, facts.schema.names, 0, max(facts.rows, 1)))
    return pa.Table.from_batches(batches) if batches else facts.schema.empty_table()


def _open_json(part: Part, schema: pa.Schema | None) -> pyarrow.json.JSONStreamingReader:
    return pyarrow.json.open_json(
        part.filesystem.open_input_stream(part.path),
        read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
        parse_options=pyarrow.json.ParseOptions(
            explicit_schema=schema,
            unexpected_field_behavior="infer" if schema is None else "ignore",
        ),
    )


def describe_json(part: Part, embedding: str) -> PartFacts:
    """Tell columns and rows of JSON lines, whose columns are those of the first megabytes."""
    del embedding
    with _open_json(part, None) as reader:
        schema = require_different(reader.schema, part)
    fields = [_as_floats(field) for field in schema]
    counted = pa.schema([field for field in fields if not is_list(field.type)][:1] or fields[:1])
    with _open_json(part, counted) as reader:
        rows = sum(len(batch) for batch in reader)
    return PartFacts(pa.schema(fields), rows)


def _as_floats(field: pa.Field) -> pa.Field:
    """Take lists that begin with whole numbers for lists of numbers: 1 is a feature like 1.5."""
    if is_list(field.type) and pa.types.is_integer(field.type.value_type):
        return field.with_type(pa.list_(pa.float64()))
    return field


def json_batches(
    part: Part, facts: PartFacts, columns: Sequence[str], first: int, block_rows: int
) -> Iterator[pa.RecordBatch]:
    """Yield rows of JSON lines."""
    schema = pa.schema([facts.schema.field(name) for name in columns])
    with _open_json(part, schema) as reader:
        yield from sliced((one.select(list(columns)) for one in reader), first, block_rows)
