"""Fit from a Parquet file in one pass: any estimator with `partial_fit`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pyarrow as pa
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from sensitivenets.embeddings import FloatArray
from sensitivenets.errors import InputError
from sensitivenets.model import Model
from sensitivenets.progress import Progress
from sensitivenets.scale.parquet_blocks import count_rows, parquet_blocks


class PartialFitter(Protocol):
    """An eraser that learns batch by batch, such as `LEACE`, `SPLINCE` or `SAL`."""

    @property
    def model_(self) -> Model:
        """The map of all rows so far."""
        ...

    def partial_fit(self, X: FloatArray, y: Any = None, *, sensitive: Any = None) -> Any:
        """Add a batch of rows."""
        ...


E = TypeVar("E", bound=PartialFitter)


def fit_parquet(
    eraser: E,
    path: str | Path,
    *,
    sensitive: Sequence[str],
    target: str | None = None,
    embedding: str = "embedding",
    block_rows: int = 16_384,
    progress: Progress | None = None,
) -> E:
    """Fit an eraser to a table that need not fit into memory.

    Parameters
    ----------
    eraser : estimator with `partial_fit`
        Its parameters; it is not changed.
    path : str or Path
        A Parquet file (see `read_table`); read once, from its first row to its last.
    sensitive : sequence of str
        Columns of the attributes to remove; null is unlabelled.
    target : str, optional
        Column of what is to be kept, for a method that keeps a target.
    embedding : str, default="embedding"
        Column of the embeddings.
    block_rows : int, default=16384
        Rows of a block; memory is that of three blocks and of the method's own statistics.
    progress : Progress, optional
        Told of the rows that are done, such as by `progress_bar`.

    Returns
    -------
    estimator
        A fitted copy.

    Raises
    ------
    InputError
        If the eraser cannot learn in batches, the file cannot be used, or an attribute has fewer
        than two classes in the whole file.
    """
    if not hasattr(eraser, "partial_fit"):
        raise InputError(
            f"{type(eraser).__name__}: has no partial_fit, it needs all rows at once; read the "
            "table with read_table and call fit, or take a closed-form method such as LEACE"
        )
    if not sensitive:
        raise InputError("sensitive: expected the name of at least one column, found none")
    fitted: E = clone(eraser)
    total = count_rows(path)
    columns = [*sensitive, *([] if target is None else [target])]
    # One core is left to reading: products that wait for it would waste the others.
    with threadpool_limits(max(1, (os.cpu_count() or 1) - 1), user_api="blas"):
        for block in parquet_blocks(path, columns, embedding=embedding, block_rows=block_rows):
            labels: pa.Table = block.columns
            fitted.partial_fit(
                block.vectors,
                None if target is None else labels[target],
                sensitive=labels.select(list(sensitive)),
            )
            if progress is not None:
                progress(block.start + len(block), total, "rows")
    # Whatever is missing in the file as a whole is said here, not at the first transform.
    _ = fitted.model_
    return fitted
