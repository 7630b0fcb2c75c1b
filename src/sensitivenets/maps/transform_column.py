"""A model applied to a column of a database, and what is left to do behind it."""

from __future__ import annotations

from sensitivenets.connectors.map_column import BATCH_ROWS, MappedColumn, Matrix, map_column
from sensitivenets.connectors.postgres import PostgresTable
from sensitivenets.maps.base import Model, written_values
from sensitivenets.maps.digest import weights_digest
from sensitivenets.progress import Progress

# pgvector indexes vectors up to here, and half precision twice as far.
_MAX_INDEXED = 2000


def transform_column(
    model: Model,
    table: PostgresTable,
    *,
    to: str,
    batch_rows: int = BATCH_ROWS,
    progress: Progress | None = None,
) -> MappedColumn:
    """Fill a column with what a model makes of the embeddings in another (see `map_column`).

    Parameters
    ----------
    model : Model
        The model. The column is marked with its digest.
    table : PostgresTable
        The table, with the column of the embeddings.
    to : str
        Column to fill; made if it is not there.
    batch_rows : int, default=1000
        Rows of a transaction.
    progress : Progress, optional
        Told of the rows that are done.

    Returns
    -------
    MappedColumn

    Raises
    ------
    InputError
        If a column does not fit the model, or an embedding cannot be used.
    """
    where = f"what the model makes of {table.shown}"

    def transform(vectors: Matrix) -> Matrix:
        return written_values(model.map, vectors, where)

    return map_column(
        table,
        transform,
        to=to,
        n_features=(model.map.n_features_in, model.map.n_features_out),
        mark=f"mapped by the model {weights_digest(model.map.arrays())}",
        batch_rows=batch_rows,
        progress=progress,
    )


def steps_behind(model: Model, table: PostgresTable, to: str, done: MappedColumn) -> list[str]:
    """Return what is still to do before the new column protects anybody, in sentences.

    Parameters
    ----------
    model : Model
        The model that was applied.
    table : PostgresTable
        The table.
    to : str
        The new column.
    done : MappedColumn
        What was done.

    Returns
    -------
    list of str
        About queries, the index, the old column, and columns of attributes that are removed.
    """
    name = ".".join(table.path)
    steps = [
        f"map every query too, with the same model: one that is not mapped has no neighbours "
        f"in {to}",
        f"index it: {_index(name, to, model.map.n_features_out)}",
        f"{table.column} leaks until it is gone: alter table {name} drop column {table.column}; "
        f"vacuum full {name}; and the backups from before",
    ]
    removed = [column for column in done.columns if column in model.removed]
    if removed:
        steps.append(f"still columns of {name}, as they were: {', '.join(removed)}")
    return steps


def _index(name: str, to: str, width: int) -> str:
    if width <= _MAX_INDEXED:
        return f"create index concurrently on {name} using hnsw ({to} vector_cosine_ops)"
    if width <= 2 * _MAX_INDEXED:
        return (
            f"create index concurrently on {name} using hnsw "
            f"(({to}::halfvec({width})) halfvec_cosine_ops)"
        )
    return f"pgvector indexes {2 * _MAX_INDEXED} features at most, and {to} has {width}"
