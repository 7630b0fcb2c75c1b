"""``sensitivenets transform``: apply a model to a table."""

from __future__ import annotations

from pathlib import Path

from sensitivenets.cli.output import print_json, print_line
from sensitivenets.cli.selection import read_rows, refuse_table
from sensitivenets.errors import InputError


def transform(
    model: Path,
    table: Path,
    /,
    *,
    out: Path,
    where: list[str] | None = None,
    embedding: str = "embedding",
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Map the embeddings of a table to agnostic embeddings; the label columns stay.

    Parameters
    ----------
    model
        Model folder.
    table
        Embeddings of the network that the model was fitted for: .parquet, .npz, or .npy.
    out
        Parquet file to write.
    where
        Write only the rows with COLUMN=VALUE; may be given several times.
    embedding
        Name of the embedding column.
    overwrite
        Replace a file that is already there.
    json
        Write the result as JSON.
    """
    from sensitivenets.embeddings import check_vectors, write_table
    from sensitivenets.maps.model_folder import load_model

    refuse_table(out, overwrite=overwrite)
    phi = load_model(model).map
    rows = read_rows(table, where or [], embedding)
    if rows.dim != phi.n_features_in:
        raise InputError(
            f"{table}: expected embeddings of {phi.n_features_in} features as {model} was fitted "
            f"on, found {rows.dim}; use the network that made the training embeddings"
        )
    mapped = phi(rows.vectors)
    check_vectors(mapped, f"{model}: what it makes of {table}")
    write_table(rows.with_vectors(mapped), out)
    if json:
        print_json({"table": str(out), "rows": len(rows), "n_features": phi.n_features_out})
    else:
        print_line(f"{len(rows)} rows of {phi.n_features_out} features: {out}")
