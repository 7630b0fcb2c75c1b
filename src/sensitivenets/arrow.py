"""Arrow in, Arrow out: a model as a function of record batches, for any engine that has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa

from sensitivenets.embeddings import FloatArray, check_vectors
from sensitivenets.embeddings.arrays import is_list
from sensitivenets.embeddings.embedding_column import EmbeddingColumn
from sensitivenets.maps.base import Fitted, Model, model_of, written_values

Batch = TypeVar("Batch", pa.RecordBatch, pa.Table)


@dataclass(frozen=True)
class Agnostic:
    """Maps the embeddings of a record batch; made by `agnostic`. It can be pickled.

    Attributes
    ----------
    model : Model
        The map, and the attributes that it removes.
    embedding : str
        Column of the embeddings, or a pattern of columns that are a feature each.
    keep : tuple of str
        Columns that stay although the model removes their attribute.
    """

    model: Model
    embedding: str
    keep: tuple[str, ...]

    def __call__(self, batch: Batch) -> Batch:
        """Map one batch.

        Parameters
        ----------
        batch : pyarrow.RecordBatch or pyarrow.Table
            Rows of the network that the model was fitted for.

        Returns
        -------
        pyarrow.RecordBatch or pyarrow.Table
            The same rows, as `schema` says, in the same kind of container.

        Raises
        ------
        InputError
            If an embedding is missing or cannot be used; the message has its row in the batch.
        """
        schema = self.schema(batch.schema)
        name = self._column(batch.schema).written
        columns = [
            self._mapped(batch, field.type) if field.name == name else batch[field.name]
            for field in schema
        ]
        return type(batch).from_arrays(columns, schema=schema)

    def batches(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Map batches one by one, each when it is asked for."""
        return map(self, batches)

    def schema(self, schema: pa.Schema) -> pa.Schema:
        """Return the columns of what comes out, by those of what goes in.

        Columns of the attributes that are removed are left out. The embedding stays in its place
        and keeps its kind of list and of float, with as many features as the model makes; features
        that had a column each become one of lists. Metadata of the schema is dropped: it describes
        what went in.

        Raises
        ------
        InputError
            If there is no such column.
        """
        column = self._column(schema)
        removed = [name for name in self.model.removed if name not in self.keep]
        fields = []
        for field in schema:
            if field.name == column.columns[0]:
                kind = _resized(field.type, self.model.map.n_features_out)
                fields.append(pa.field(column.written, kind, field.nullable))
            elif field.name not in {*column.read, *removed}:
                fields.append(field)
        return pa.schema(fields)

    def _column(self, schema: pa.Schema) -> EmbeddingColumn:
        return EmbeddingColumn.find(schema, self.embedding, "batch")

    def _mapped(self, batch: pa.RecordBatch | pa.Table, kind: pa.DataType) -> pa.Array:
        if batch.num_rows == 0:
            return pa.array([], kind)
        table = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
        vectors = self._column(batch.schema).vectors(table, "batch", 0)
        check_vectors(vectors, "batch")
        mapped = written_values(self.model.map, vectors, "batch: what the model makes of it")
        return _lists(mapped, kind)


def agnostic(
    model: Model | Fitted, *, embedding: str = "embedding", keep: Sequence[str] = ()
) -> Agnostic:
    """Return the function from record batches to record batches that a model is.

    Values and columns are those that ``sensitivenets transform`` writes.

    Parameters
    ----------
    model : Model or fitted estimator
        As `load_model` returns it.
    embedding : str, default="embedding"
        Column of the embeddings, or a pattern such as ``f*`` of columns that are a feature each.
    keep : sequence of str, default=()
        Columns that stay although the model removes their attribute.

    Returns
    -------
    Agnostic
        A function of a `pyarrow.RecordBatch` or a `pyarrow.Table`, which returns the same.

    Raises
    ------
    InputError
        If `model` is neither a model nor fitted.

    Examples
    --------
    >>> import numpy as np
    >>> import pyarrow as pa
    >>> from sensitivenets.maps.base import Model
    >>> from sensitivenets.maps.projection import Projection
    >>> half = Model(Projection(np.eye(4, 2, dtype=np.float32)), "Half", {}, {"gender": ("f", "m")})
    >>> faces = pa.table({"embedding": [[3.0, 4.0, 0.0, 9.0]], "gender": ["f"], "id": ["007"]})
    >>> agnostic(half)(faces).column_names
    ['embedding', 'id']
    """
    return Agnostic(model_of(model), embedding, tuple(keep))


def agnostic_batches(
    model: Model | Fitted, *, embedding: str = "embedding", keep: Sequence[str] = ()
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return `agnostic` as a function of many batches, as Spark's ``mapInArrow`` takes it.

    Parameters
    ----------
    model, embedding, keep
        See `agnostic`.

    Returns
    -------
    callable
        From an iterable of record batches to an iterator of them; one batch is in memory at a time.
    """
    return agnostic(model, embedding=embedding, keep=keep).batches


def _resized(kind: pa.DataType, width: int) -> pa.DataType:
    """Return the same kind of list, of floats, with another number of features."""
    if isinstance(kind, pa.FixedShapeTensorType):
        return pa.fixed_shape_tensor(_float(kind.value_type), [width])
    if not is_list(kind):
        return pa.list_(pa.float32(), width)
    value = kind.value_field.with_type(_float(kind.value_type))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(value, width)
    large = pa.types.is_large_list(kind) or pa.types.is_large_list_view(kind)
    return pa.large_list(value) if large else pa.list_(value)


def _float(kind: pa.DataType) -> pa.DataType:
    return kind if pa.types.is_floating(kind) else pa.float32()


def _lists(vectors: FloatArray, kind: pa.DataType) -> pa.Array:
    width = vectors.shape[1]
    if isinstance(kind, pa.FixedShapeTensorType):
        return pa.ExtensionArray.from_storage(kind, _lists(vectors, kind.storage_type))
    flat = pa.array(vectors.reshape(-1).astype(kind.value_type.to_pandas_dtype()))
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(flat, type=kind)
    offsets = range(0, len(flat) + 1, width)
    if pa.types.is_large_list(kind):
        return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), flat, type=kind)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat, type=kind)
