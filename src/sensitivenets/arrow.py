"""Record batches in, record batches out: a model wherever tables are Arrow.

`agnostic` maps one batch or table, for Ray Data, polars, DuckDB or Hugging Face datasets;
`agnostic_batches` maps an iterator of batches, for Spark's ``mapInArrow``. Both can be pickled, and
need neither torch nor the training data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa

from sensitivenets.embeddings import canonical_values, check_vectors, vectors_to_arrow
from sensitivenets.embeddings.embedding_column import EmbeddingColumn
from sensitivenets.errors import InputError
from sensitivenets.maps.base import Fitted, Model, model_of

Batch = TypeVar("Batch", pa.RecordBatch, pa.Table)


@dataclass(frozen=True)
class Agnostic:
    """Maps the embeddings of a batch or table, and leaves out what the model removes.

    Attributes
    ----------
    model : Model
        The model.
    embedding : str
        Column of the embedding, or a pattern of columns that are a feature each.
    keep : tuple of str
        Columns that stay although the model removes their attributes.
    """

    model: Model
    embedding: str = "embedding"
    keep: tuple[str, ...] = ()

    def __call__(self, batch: Batch) -> Batch:
        """Map a batch: its other columns, and the order of its rows, stay.

        Parameters
        ----------
        batch : pyarrow.RecordBatch or pyarrow.Table
            Rows of the network that the model was fitted for.

        Returns
        -------
        pyarrow.RecordBatch or pyarrow.Table
            As given; with the schema that `schema` tells.

        Raises
        ------
        InputError
            If a row has no embedding, or one of another network.
        """
        wanted = self.schema(batch.schema)
        table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        mapped = self._mapped(table).cast(wanted.field(self._column(table.schema).written).type)
        columns = [
            mapped if field.name == self._column(table.schema).written else table[field.name]
            for field in wanted
        ]
        made = pa.Table.from_arrays(columns, schema=wanted)
        if isinstance(batch, pa.RecordBatch):
            found = made.combine_chunks().to_batches()
            return found[0] if found else pa.RecordBatch.from_pylist([], schema=wanted)
        return made

    def schema(self, schema: pa.Schema) -> pa.Schema:
        """Return the schema of what is made of batches of a schema.

        The embedding comes first, as a list of float32: of fixed length if it was, else of any,
        which is what Spark has.
        """
        column = self._column(schema)
        kind = schema.field(column.columns[0]).type
        fixed = pa.types.is_fixed_size_list(kind)
        made = pa.list_(pa.float32(), self.model.map.n_features_out if fixed else -1)
        left_out = {*column.read, *(name for name in self.model.removed if name not in self.keep)}
        rest = [field for field in schema if field.name not in left_out]
        return pa.schema([pa.field(column.written, made), *rest])

    def _column(self, schema: pa.Schema) -> EmbeddingColumn:
        return EmbeddingColumn.find(schema, self.embedding, "batch")

    def _mapped(self, table: pa.Table) -> pa.Array:
        phi = self.model.map
        if not table.num_rows:
            return vectors_to_arrow(np.empty((0, phi.n_features_out), dtype=np.float32))
        vectors = self._column(table.schema).vectors(table, "batch", 0)
        check_vectors(vectors, "batch")
        if vectors.shape[1] != phi.n_features_in:
            raise InputError(
                f"batch: expected embeddings of {phi.n_features_in} features as the model was "
                f"fitted on, found {vectors.shape[1]}; use the network that made the training "
                "embeddings"
            )
        mapped = phi(vectors)
        check_vectors(mapped, "batch: what the model makes of it")
        return vectors_to_arrow(canonical_values(mapped))


@dataclass(frozen=True)
class AgnosticBatches:
    """Maps batches one by one, as they come.

    Attributes
    ----------
    agnostic : Agnostic
        Maps a batch.
    """

    agnostic: Agnostic

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield what the model makes of each batch."""
        for batch in batches:
            yield self.agnostic(batch)


def agnostic(
    model: Model | Fitted, *, embedding: str = "embedding", keep: tuple[str, ...] = ()
) -> Agnostic:
    """Return a function from record batches, or tables, to agnostic ones.

    Parameters
    ----------
    model : Model or fitted estimator
        What maps them.
    embedding : str, default="embedding"
        Column of the embedding, or a pattern such as ``f*`` of columns that are a feature each.
    keep : tuple of str, default=()
        Columns that stay although the model removes their attributes.

    Returns
    -------
    Agnostic
        Rounds values as `transform` does (see `canonical_values`).

    Examples
    --------
    >>> import pyarrow as pa
    >>> from sensitivenets.maps.base import Model
    >>> from sensitivenets.maps.projection import Projection
    >>> half = Model(Projection(np.eye(4, 2, dtype=np.float32)), "Half", {}, {"gender": ("f", "m")})
    >>> faces = pa.table({"embedding": [[3.0, 4.0, 0.0, 9.0]], "gender": ["f"], "id": ["007"]})
    >>> agnostic(half)(faces).to_pylist()[0]["id"]
    '007'
    >>> agnostic(half)(faces).column_names
    ['embedding', 'id']
    """
    return Agnostic(model_of(model), embedding, keep)


def agnostic_batches(
    model: Model | Fitted, *, embedding: str = "embedding", keep: tuple[str, ...] = ()
) -> AgnosticBatches:
    """Return a function from iterators of record batches to iterators of agnostic ones.

    Parameters are those of `agnostic`.
    """
    return AgnosticBatches(agnostic(model, embedding=embedding, keep=keep))
