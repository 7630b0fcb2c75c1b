"""``sensitivenets adapt``: a routed model for the rows you hold, without labels of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensitivenets.cli.output import percent, print_json, print_line, print_table
from sensitivenets.cli.selection import read_rows, refuse_own_output
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.erasers.fit_table import AdaptedModel
    from sensitivenets.erasers.transport.adapt import Adapted
    from sensitivenets.maps.base import Model


def adapt(
    model: Path,
    table: Path,
    /,
    *,
    out: Path,
    identity: str | None = None,
    where: list[str] | None = None,
    trust: bool = False,
    embedding: str = "embedding",
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Adapt a model to a table, which needs no labels: its own groups, its own moments.

    Parameters
    ----------
    model
        Model folder of routed_transport, coded_transport or budgeted_transport; it stays.
    table
        Embeddings of the same network: .parquet, .npz, or .npy. Parquet is read block by block.
    out
        Model folder to make, for these rows and for people who come later.
    identity
        Column that says who a row shows: rows of a person are routed together.
    where
        Adapt to the rows with COLUMN=VALUE; may be given several times.
    trust
        Adapt even where the table shows no groups like the model's; its own maps are kept
        otherwise.
    embedding
        Name of the embedding column.
    overwrite
        Replace a model folder that is already there.
    json
        Write the result as JSON.
    """
    from sensitivenets.maps.model_folder import check_destination, load_model
    from sensitivenets.maps.rescue import save_or_rescue

    check_destination(out, overwrite=overwrite)
    made = _adapted(load_model(model), model, table, identity, where or [], trust, embedding)
    save_or_rescue(made.model, out, overwrite=overwrite)
    if json:
        print_json(_summary(made, out))
    else:
        _print(made.adapted, out, table)


def _adapted(
    model: Model,
    folder: Path,
    table: Path,
    identity: str | None,
    where: list[str],
    trust: bool,
    embedding: str,
) -> AdaptedModel:
    from sensitivenets.codes.code_files import is_code_file
    from sensitivenets.embeddings.fingerprint import table_record
    from sensitivenets.embeddings.source import open_table
    from sensitivenets.erasers.fit_table import AdaptedModel, adapt_table
    from sensitivenets.erasers.transport.adapt import adapt, adapted_model
    from sensitivenets.progress import progress_bar

    if table.suffix == ".parquet" and not where and not is_code_file(table):
        source = open_table(table, embedding=embedding)
        refuse_own_output(source, model, folder)
        with progress_bar("adapt") as progress:
            return adapt_table(
                model,
                source,
                identity=identity,
                trust=trust,
                embedding=embedding,
                progress=progress,
            )
    rows = read_rows(table, where, embedding)
    refuse_own_output(rows, model, folder)
    if rows.dim != model.map.n_features_in:
        raise InputError(
            f"{table}: expected embeddings of {model.map.n_features_in} features as the model was "
            f"fitted on, found {rows.dim}; use the network that made the training embeddings"
        )
    subjects = None if identity is None else rows.identities(identity).codes
    found = adapt(model, rows.vectors, subjects=subjects, trust=trust)
    return AdaptedModel(adapted_model(model, found, table_record(rows.vectors)), found)


def _print(found: Adapted, out: Path, table: Path) -> None:
    print_table(
        ["predicted group", "rows", "own share"],
        [
            [str(number), str(rows), percent(own)]
            for number, (rows, own) in enumerate(zip(found.rows, found.own, strict=True), start=1)
        ],
    )
    print_line(f"rows in another group than by the model's own router: {percent(found.drift)}")
    for line in found.forecast.lines():
        print_line(line)
    for doubt in found.doubts:
        print_line(f"doubt: {doubt}")
    print_line(f"model: {out}")
    print_line(f"next: sensitivenets transform {out} {table} --out agnostic.parquet")


def _summary(made: AdaptedModel, out: Path) -> dict[str, Any]:
    return {
        "model": str(out),
        "fingerprint": dict(made.model.fingerprint),
        "adapted": made.adapted.record(),
    }
