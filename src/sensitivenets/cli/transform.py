"""``sensitivenets transform``: apply a model to a table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sensitivenets.cli.output import print_json, print_line, print_notice
from sensitivenets.cli.selection import read_rows, refuse_own_output, refuse_table
from sensitivenets.errors import InputError


def transform(
    model: Path,
    table: Path,
    /,
    *,
    out: Path,
    where: list[str] | None = None,
    embedding: str = "embedding",
    keep: list[str] | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Map the embeddings of a table to agnostic embeddings.

    The columns of the attributes that the model removes are left out, the others stay. Values are
    rounded to 16 binary digits after the first, so that their last digits tell nothing. The file
    says which rows its model was fitted on, so that an audit knows it.

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
    keep
        Write this column although the model removes its attribute; may be given several times.
    overwrite
        Replace a file that is already there.
    json
        Write the result as JSON.
    """
    from sensitivenets.embeddings import canonical_values, check_vectors, write_table
    from sensitivenets.maps.made_by import signed
    from sensitivenets.maps.model_folder import load_model

    refuse_table(out, overwrite=overwrite)
    loaded = load_model(model)
    phi = loaded.map
    rows = read_rows(table, where or [], embedding)
    for name in keep or []:
        rows.column(name)
    refuse_own_output(rows, loaded, model)
    if rows.dim != phi.n_features_in:
        raise InputError(
            f"{table}: expected embeddings of {phi.n_features_in} features as {model} was fitted "
            f"on, found {rows.dim}; use the network that made the training embeddings"
        )
    mapped = phi(rows.vectors)
    check_vectors(mapped, f"{model}: what it makes of {table}")
    left_out = [
        name
        for name in rows.columns.column_names
        if name in loaded.removed and name not in (keep or [])
    ]
    written = replace(rows, columns=rows.columns.drop_columns(left_out))
    write_table(signed(written.with_vectors(canonical_values(mapped)), loaded), out)
    if json:
        print_json({
            "table": str(out),
            "rows": len(rows),
            "n_features": phi.n_features_out,
            "left_out": left_out,
        })
        return
    print_line(f"{len(rows)} rows of {phi.n_features_out} features: {out}")
    if left_out:
        print_notice(f"left out: {', '.join(left_out)} (removed by the model; --keep writes it)")
