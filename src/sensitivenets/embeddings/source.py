"""How a table of embeddings is read, wherever it lies: this file is the whole story.

1. `location.find_parts` turns a path, folder, glob or URL into a list of files.
2. `formats.FORMATS` says, by the ending of its name, what is in a file and how its rows come.
3. `EmbeddingColumn.find` says which of the columns are the embedding; all others are labels.
4. `TableSource.blocks` goes through the rows once, a block at a time, in one order.
5. `TableSource.read` puts the blocks together, for whoever needs all rows at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sensitivenets.embeddings.arrays import FloatArray, check_vectors
from sensitivenets.embeddings.embedding_column import EmbeddingColumn
from sensitivenets.embeddings.formats import FORMATS, format_of
from sensitivenets.embeddings.label_types import in_types_of, label_schema
from sensitivenets.embeddings.labels import Labels, encode, encode_parts
from sensitivenets.embeddings.location import POSTGRES, Part, find_parts, find_place
from sensitivenets.embeddings.part_facts import PartFacts, readable
from sensitivenets.embeddings.table import EmbeddingTable
from sensitivenets.errors import InputError, did_you_mean, some_of

#: Rows of a block: some megabytes at usual widths.
BLOCK_ROWS = 16_384
# Footers read at a time: each is a wait for a far disk.
_AT_A_TIME = 8
_SHOWN = 12
# Labels that are looked up at a time: tens of megabytes, and few looks at the values met before.
_CODED_ROWS = 1 << 21


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


@dataclass(frozen=True)
class TableSource:
    """A table that is read and not held: make one with `open_table`.

    It can be pickled and read by any worker that reaches the same files.

    Attributes
    ----------
    name : str
        Where it is, for messages.
    parts : tuple of Part
        Its files, in the order of their rows.
    facts : tuple of PartFacts
        Columns and rows of each.
    embedding : EmbeddingColumn
        The columns of the embedding.
    labels : pyarrow.Schema
        All other columns, Hive partitions among them; null in a part that lacks one.
    conditions : tuple of (str, str)
        Rows are those whose column, read as text, equals the value.
    rows : tuple of int
        Rows of each part that meet the conditions.
    """

    name: str
    parts: tuple[Part, ...]
    facts: tuple[PartFacts, ...]
    embedding: EmbeddingColumn
    labels: pa.Schema
    conditions: tuple[tuple[str, str], ...]
    rows: tuple[int, ...]

    @property
    def n_rows(self) -> int:
        """Rows in all."""
        return sum(self.rows)

    @property
    def is_one_file(self) -> bool:
        """Whether a file was named, and not a folder or pattern that may have one file."""
        return len(self.parts) == 1 and self.parts[0].name == self.name

    def width(self) -> int:
        """Read the first row, and return how many features it has."""
        [block] = self.blocks(block_rows=1, stop=1)
        return int(block.vectors.shape[1])

    def where(self, column: str, value: str) -> TableSource:
        """Keep the rows whose `column`, read as text, equals `value`; reads that column.

        Raises
        ------
        InputError
            If no row does.
        """
        self.require_labels([column])
        kept = replace(self, conditions=(*self.conditions, (column, value)))
        seen: dict[str, None] = {}
        rows = []
        for number in range(len(self.parts)):
            count = 0
            for batch in self._label_batches(number, [column]):
                found = encode(column, batch[column])
                seen.update(dict.fromkeys(found.classes if len(seen) < _SHOWN else ()))
                if value in found.classes:
                    count += int((found.codes == found.classes.index(value)).sum())
            rows.append(count)
        if not sum(rows):
            near = did_you_mean(value, seen)
            values = some_of(sorted(seen), _SHOWN)
            raise InputError(
                f"{self.name}: no row has {column} = {value!r}; {near}its values are {values}"
            )
        return replace(kept, rows=tuple(rows))

    def require_labels(self, names: Sequence[str]) -> None:
        """Refuse a label column that is not there.

        Raises
        ------
        InputError
            Naming those there are.
        """
        for name in names:
            if name not in self.labels.names:
                near = did_you_mean(name, self.labels.names)
                present = some_of(self.labels.names)
                raise InputError(
                    f"{self.name}: no column {name!r}; {near}its label columns are {present}"
                )

    def blocks(
        self,
        columns: Sequence[str] = (),
        *,
        block_rows: int = BLOCK_ROWS,
        start: int = 0,
        stop: int | None = None,
    ) -> Iterator[Block]:
        """Go through the rows in blocks, the next one read while the last is worked on.

        Parameters
        ----------
        columns : sequence of str, default=()
            Label columns to read.
        block_rows : int, default=16384
            Rows of a block, at most; a block ends where its part does. Three are in memory.
        start, stop : int, optional
            The rows wanted: all unless given.

        Yields
        ------
        Block
            In the order of the rows.

        Raises
        ------
        InputError
            If a file is damaged, a column is not there, or embeddings cannot be used; the message
            names the file, and the row in it.
        """
        self.require_labels(columns)
        width = None
        wanted = (*self.embedding.read, *columns)
        for number, offset, first, last in self._stretches(start, stop):
            part = self.parts[number]
            row = first
            for table in _ahead(self._tables(number, wanted, first, last, block_rows)):
                with readable(part):
                    vectors = self.embedding.vectors(table, part.name, row)
                where = f"{part.name}: column {self.embedding.name!r}"
                check_vectors(vectors, where, first_row=row)
                width = width or vectors.shape[1]
                if vectors.shape[1] != width:
                    raise InputError(
                        f"{where}, row {row}: expected {width} features as in row {start}, found "
                        f"{vectors.shape[1]}; embed all rows with one model"
                    )
                yield Block(offset + row, vectors, table.select(list(columns)))
                row += len(vectors)

    def read_labels(self, columns: Sequence[str]) -> pa.Table:
        """Read label columns of all rows, and no embeddings."""
        self.require_labels(columns)
        batches = list(self._all_labels(columns))
        schema = pa.schema([self.labels.field(name) for name in columns])
        return pa.concat_tables(batches) if batches else schema.empty_table()

    def read_codes(self, column: str) -> Labels:
        """Read a label column of all rows as narrow codes; a value is held once, not once a row."""
        self.require_labels([column])
        return encode_parts(column, self._long_parts(column))

    def _long_parts(self, column: str) -> Iterator[pa.ChunkedArray]:
        """Yield millions of labels at a time."""
        waiting: list[pa.Table] = []
        for batch in self._all_labels([column]):
            waiting.append(batch)
            if sum(map(len, waiting)) >= _CODED_ROWS:
                yield pa.concat_tables(waiting)[column]
                waiting = []
        if waiting:
            yield pa.concat_tables(waiting)[column]

    def _all_labels(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        for number in range(len(self.parts)):
            yield from self._label_batches(number, columns)

    def read(self) -> EmbeddingTable:
        """Read all rows and labels into memory."""
        names = self.labels.names
        # One block where the file has its rows in one piece, which is then not copied.
        blocks = self.blocks(names, block_rows=max(self.n_rows, 1))
        first = next(blocks, None)
        if first is None:
            raise InputError(f"{self.name}: expected at least one embedding, found none")
        if len(first) == self.n_rows:
            vectors, tables = first.vectors, [first.columns]
        else:
            with readable(self.parts[0]):
                vectors = np.empty((self.n_rows, first.vectors.shape[1]), dtype=np.float32)
            tables = []
            for block in (first, *blocks):
                vectors[block.start : block.start + len(block)] = block.vectors
                tables.append(block.columns)
        columns = self.noted(pa.concat_tables(tables) if names else pa.table({}))
        return EmbeddingTable(vectors, columns, self.name, self.embedding.written)

    def take(self, rows: npt.NDArray[np.int64]) -> EmbeddingTable:
        """Read some rows, with their labels, in the order of the table.

        Parameters
        ----------
        rows : ndarray of shape (k,)
            Their numbers, ascending.
        """
        vectors, tables = [], []
        for block in self.blocks(self.labels.names):
            first, last = np.searchsorted(rows, (block.start, block.start + len(block)))
            if last > first:
                chosen = rows[first:last] - block.start
                vectors.append(block.vectors[chosen])
                tables.append(block.columns.take(pa.array(chosen)))
        columns = self.noted(pa.concat_tables(tables) if self.labels.names else pa.table({}))
        return EmbeddingTable(np.concatenate(vectors), columns, self.name, self.embedding.written)

    def noted(self, columns: pa.Table) -> pa.Table:
        """Put what made the table back into its metadata."""
        return columns.replace_schema_metadata(self.labels.metadata)

    def followed_by_unlabelled(self, other: TableSource) -> TableSource:
        """Return the rows of this table, and behind them those of another without its labels.

        Raises
        ------
        InputError
            If embeddings are of other columns, or either has conditions: they would be asked of
            all rows.
        """
        if self.conditions or other.conditions:
            raise InputError(
                f"{other.name}: unlabelled rows cannot stand behind selected ones; write the "
                "selection as a table first"
            )
        if other.embedding != self.embedding:
            raise InputError(
                f"{other.name}: expected the embedding in {', '.join(self.embedding.read)} as in "
                f"{self.name}, found {', '.join(other.embedding.read)}; write both alike"
            )
        bare = [
            PartFacts(pa.schema([one.schema.field(name) for name in self.embedding.read]), one.rows)
            for one in other.facts
        ]
        return replace(
            self,
            parts=(*self.parts, *(replace(part, keys={}) for part in other.parts)),
            facts=(*self.facts, *bare),
            rows=(*self.rows, *other.rows),
        )

    def of_part(self, number: int) -> TableSource:
        """Return one file of the table as a table."""
        return replace(
            self,
            name=self.parts[number].name,
            parts=(self.parts[number],),
            facts=(self.facts[number],),
            rows=(self.rows[number],),
        )

    def _stretches(self, start: int, stop: int | None) -> Iterator[tuple[int, int, int, int]]:
        """Yield part, the number of its first row in the table, and the rows wanted of it."""
        stop = self.n_rows if stop is None else min(stop, self.n_rows)
        offset = 0
        for number, rows in enumerate(self.rows):
            first, last = max(start - offset, 0), min(stop - offset, rows)
            if first < last:
                yield number, offset, first, last
            offset += rows

    def _label_batches(self, number: int, columns: Sequence[str]) -> Iterator[pa.Table]:
        # Without the columns of conditions: whoever asks takes all there are for attributes.
        for table in self._tables(number, columns, 0, self.rows[number], BLOCK_ROWS):
            yield table.select(columns)

    def _tables(
        self, number: int, columns: Sequence[str], first: int, last: int, block_rows: int
    ) -> Iterator[pa.Table]:
        """Yield the rows from `first` to `last` of a part that meet the conditions."""
        part, facts = self.parts[number], self.facts[number]
        needed = list(dict.fromkeys([*columns, *(column for column, _ in self.conditions)]))
        in_file = [name for name in needed if name in facts.schema.names]
        # Which rows meet a condition is not known before they are read.
        seen = 0 if self.conditions else first
        with readable(part):
            # Of a part without any of the columns, one is read to tell how many rows there are.
            batches = format_of(part).batches(
                part, facts, in_file or facts.schema.names[:1], seen, block_rows
            )
            for batch in batches:
                table = self._completed(part, batch, needed)
                for column, value in self.conditions:
                    table = table.filter(_equal_mask(column, table[column], value))
                begin, seen = seen, seen + table.num_rows
                table = table.slice(max(first - begin, 0), max(last - max(begin, first), 0))
                if table.num_rows:
                    yield table
                if seen >= last:
                    return

    def _completed(self, part: Part, batch: pa.RecordBatch, names: Sequence[str]) -> pa.Table:
        """Add Hive partitions and missing columns, and give labels the type they have in all."""
        n_rows, made = len(batch), {}
        for name in names:
            found = batch.column(name) if name in batch.schema.names else None
            if name in self.labels.names:
                kind = self.labels.field(name).type
                if found is None:
                    found = pa.array([part.keys.get(name)], pa.string())
                    found = _cast(found, kind).take(pa.array(np.zeros(n_rows, dtype=np.int64)))
                found = _cast(found, kind)
            made[name] = found
        return pa.table(made) if made else pa.table({"": pa.nulls(n_rows)})


def open_table(
    where: str | Path, *, embedding: str = "embedding", conditions: Sequence[tuple[str, str]] = ()
) -> TableSource:
    """Find a table and tell what it holds, without reading its embeddings.

    Parameters
    ----------
    where : str or Path
        A file, a folder of parts, a glob or a URL (see `location.find_parts`), of the kinds in
        `formats.FORMATS`.
    embedding : str, default="embedding"
        Column of the embedding, of lists or of JSON, or a pattern such as ``f*`` of columns that
        are a feature each.
    conditions : sequence of (str, str), default=()
        Columns and values: only rows that have them, read as text, are rows of the table.

    Returns
    -------
    TableSource

    Raises
    ------
    InputError
        If there is nothing that can be read, parts do not fit together, or no row is left.
    """
    parts = find_parts(where, FORMATS)
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        facts = list(pool.map(lambda part: _described(part, embedding), parts))
    columns = [
        EmbeddingColumn.find(one.schema, embedding, part.name)
        for part, one in zip(parts, facts, strict=True)
    ]
    for part, found in zip(parts, columns, strict=True):
        if found != columns[0]:
            raise InputError(
                f"{part.name}: expected {len(columns[0].read)} columns of {embedding!r} as in "
                f"{parts[0].name}, found {len(found.read)}; write both alike"
            )
    labels = label_schema(parts, facts, columns[0])
    facts = [in_types_of(labels, part, one) for part, one in zip(parts, facts, strict=True)]
    name = parts[0].name if parts[0].suffix == POSTGRES else find_place(where).shown
    rows = tuple(one.rows for one in facts)
    if not sum(rows):
        raise InputError(f"{name}: expected at least one embedding, found none")
    source = TableSource(name, parts, tuple(facts), columns[0], labels, (), rows)
    for column, value in conditions:
        source = source.where(column, value)
    return source


def _described(part: Part, embedding: str) -> PartFacts:
    with readable(part):
        return format_of(part).describe(part, embedding)


def _cast(values: pa.Array, kind: pa.DataType) -> pa.Array:
    if values.type == kind:
        return values
    return pa.nulls(len(values)) if kind == pa.null() else values.cast(kind)


def _equal_mask(column: str, values: pa.ChunkedArray, value: str) -> pa.Array:
    found = encode(column, values)
    # No code is -2.
    code = found.classes.index(value) if value in found.classes else -2
    return pa.array(found.codes == code, pa.bool_())


def _ahead(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Read the next while the last is worked on."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, tables, None)
        while (table := coming.result()) is not None:
            coming = reader.submit(next, tables, None)
            yield table
