"""Fit from a Parquet file: in one pass with `partial_fit`, or in several with `fit_passes`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from sklearn.base import clone
from threadpoolctl import threadpool_limits

from sensitivenets.embeddings import FloatArray, encode
from sensitivenets.embeddings.fingerprint import Fingerprint, Hashing, other_cores
from sensitivenets.embeddings.label_doubts import without_blanks
from sensitivenets.embeddings.labels import encode_attributes
from sensitivenets.embeddings.parquet_blocks import Block, count_rows, parquet_blocks, read_columns
from sensitivenets.erasers.transport.adapt import Adapted, adapt_passes, adapted_model
from sensitivenets.errors import InputError
from sensitivenets.maps.base import Fitted, Model, model_of
from sensitivenets.progress import Progress


@dataclass(frozen=True)
class AdaptedModel:
    """A model adapted to a file, and the record of how.

    Attributes
    ----------
    model : Model
        Maps people who come later.
    adapted : Adapted
        Rows of each predicted group, the forecast, doubts.
    """

    model: Model
    adapted: Adapted


def adapt_parquet(
    fitted: Model | Fitted,
    path: str | Path,
    *,
    identity: str | None = None,
    embedding: str = "embedding",
    block_rows: int = 16_384,
    progress: Progress | None = None,
) -> AdaptedModel:
    """Adapt a routed model to an unlabelled table that need not fit into memory.

    Parameters
    ----------
    fitted : Model or fitted estimator
        As in `transport.adapt.adapt`; it is not changed.
    path : str or Path
        A Parquet file (see `read_table`). It is read seven times at most, twelve with identities,
        once more to identify it, and once more for a code.
    identity : str, optional
        Column that says who a row shows: rows of a subject share a route.
    embedding : str, default="embedding"
        Column of the embeddings.
    block_rows : int, default=16384
        Rows of a block; it changes nothing but memory.
    progress : Progress, optional
        Told of the rows that are done.

    Returns
    -------
    AdaptedModel
        The derived model and its record.

    Raises
    ------
    InputError
        If the model has no routes, or the file does not fit it.
    """
    n_rows = count_rows(path)
    subjects = None
    if identity is not None:
        subjects = without_blanks(encode(identity, read_columns(path, [identity])[identity])).codes

    def blocks() -> Iterator[FloatArray]:
        for block in parquet_blocks(path, embedding=embedding, block_rows=block_rows):
            yield block.vectors
            if progress is not None:
                progress(block.start + len(block), n_rows, "rows")

    table = Fingerprint()
    with other_cores() as pool:
        for X in blocks():
            table = Hashing(X, pool, table).result()
    n_features = model_of(fitted).map.n_features_in
    if table.features != n_features:
        raise InputError(
            f"{path}: expected embeddings of {n_features} features as the model was fitted on, "
            f"found {table.features}; use the network that made the training embeddings"
        )
    with threadpool_limits(max(1, (os.cpu_count() or 1) - 1), user_api="blas"):
        adapted = adapt_passes(fitted, blocks, n_rows, subjects=subjects)
    return AdaptedModel(adapted_model(fitted, adapted, table.to_dict()), adapted)


class BlockFitter(Protocol):
    """An eraser with `partial_fit`, such as `LEACE`, or `fit_passes`, such as `RoutedTransport`."""

    @property
    def model_(self) -> Model:
        """The map of all rows so far."""
        ...


E = TypeVar("E", bound=BlockFitter)


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
    eraser : estimator with `partial_fit` or `fit_passes`
        Its parameters; it is not changed.
    path : str or Path
        A Parquet file (see `read_table`); read once, from its first row to its last, or by
        `fit_passes` once and twice more a round.
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
    several = hasattr(eraser, "fit_passes")
    if not several and not hasattr(eraser, "partial_fit"):
        raise InputError(
            f"{type(eraser).__name__}: has no partial_fit, it needs all rows at once; read the "
            "table with read_table and call fit, or take a closed-form method such as LEACE"
        )
    if not sensitive:
        raise InputError("sensitive: expected the name of at least one column, found none")
    fitted: Any = clone(eraser)
    columns = [*sensitive, *([] if target is None else [target])]
    # What stays in memory is taken before the passes begin.
    labels = read_columns(path, list(sensitive)) if several else None

    def blocks() -> Iterator[Block]:
        total = count_rows(path)
        for block in parquet_blocks(path, columns, embedding=embedding, block_rows=block_rows):
            yield block
            if progress is not None:
                progress(block.start + len(block), total, "rows")

    # One core is left to reading: products that wait for it would waste the others.
    with threadpool_limits(max(1, (os.cpu_count() or 1) - 1), user_api="blas"):
        if labels is not None:
            attributes = encode_attributes(labels, labels.num_rows)
            fitted.fit_passes(lambda: (block.vectors for block in blocks()), attributes)
        else:
            for block in blocks():
                fitted.partial_fit(
                    block.vectors,
                    None if target is None else block.columns[target],
                    sensitive=block.columns.select(list(sensitive)),
                )
    # Whatever is missing in the file as a whole is said here, not at the first transform.
    _ = fitted.model_
    return cast(E, fitted)
