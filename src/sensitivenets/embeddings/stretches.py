"""A table in chunks that do not end where its parts do, so that no sum depends on the parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from sensitivenets.embeddings.rows import CHUNK_ROWS, Stretch
from sensitivenets.embeddings.source import Block, TableSource


def chunks_of(
    source: TableSource, stretch: Stretch, columns: Sequence[str] = ()
) -> Iterator[Block]:
    """Read a stretch in chunks of one length, which do not end where a part does.

    Parameters
    ----------
    source : TableSource
        The table.
    stretch : Stretch
        The rows wanted.
    columns : sequence of str, default=()
        Label columns to read.

    Yields
    ------
    Block
        Of 8 192 rows, but for the last.
    """
    waiting: list[Block] = []
    n_waiting = 0
    for block in source.blocks(
        columns, block_rows=CHUNK_ROWS, start=stretch.start, stop=stretch.stop
    ):
        while len(block):
            part = _rows(block, 0, CHUNK_ROWS - n_waiting)
            block = _rows(block, len(part), len(block))
            waiting.append(part)
            n_waiting += len(part)
            if n_waiting == CHUNK_ROWS:
                yield _joined(waiting)
                waiting, n_waiting = [], 0
    if waiting:
        yield _joined(waiting)


def _rows(block: Block, first: int, last: int) -> Block:
    columns = block.columns.slice(first, last - first)
    return Block(block.start + first, block.vectors[first:last], columns)


def _joined(blocks: list[Block]) -> Block:
    if len(blocks) == 1:
        return blocks[0]
    vectors = np.concatenate([block.vectors for block in blocks])
    return Block(blocks[0].start, vectors, pa.concat_tables([block.columns for block in blocks]))
