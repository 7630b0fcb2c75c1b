"""``sensitivenets adapt``: a routed model for the rows you hold, without labels of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensitivenets.cli.engine_options import DeviceOptions
from sensitivenets.cli.output import percent, print_json, print_line, print_table
from sensitivenets.cli.selection import open_rows, refuse_own_output
from sensitivenets.connectors.postgres import is_postgres_url, parse_postgres
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.erasers.fit_table import AdaptedModel
    from sensitivenets.erasers.transport.adapt import Adapted

_HERE = DeviceOptions()


def adapt(
    model: Path,
    table: str,
    /,
    *,
    out: Path,
    identity: str | None = None,
    domain: str | None = None,
    where: list[str] | None = None,
    trust: bool = False,
    embedding: str = "embedding",
    overwrite: bool = False,
    json: bool = False,
    work: DeviceOptions = _HERE,
) -> None:
    """Adapt a model to a table, which needs no labels: its own groups, its own moments.

    Parameters
    ----------
    model
        Model folder of routed_transport, coded_transport or budgeted_transport; it stays.
    table
        Embeddings of the same network: a file, a folder, a glob or a URL of .parquet, .feather,
        .csv, .jsonl, .npz, .npy or .safetensors, read block by block.
    out
        Model folder to make, for these rows and for people who come later.
    identity
        Column that says who a row shows: rows of a person are routed together.
    domain
        Column of the source of a row, such as a camera or a country: each source has groups and
        moments of its own, found without it later.
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
    work
        Who goes through the table, and who multiplies.
    """
    from sensitivenets.erasers.fit_table import adapt_table
    from sensitivenets.maps.model_folder import check_destination, load_model
    from sensitivenets.maps.rescue import save_or_rescue
    from sensitivenets.progress import progress_bar

    check_destination(out, overwrite=overwrite)
    products = work.products()
    parent = load_model(model)
    _refuse_codes(table)
    source = open_rows(table, where or [], embedding)
    refuse_own_output(source, parent, model)
    with progress_bar("adapt") as progress:
        made = adapt_table(
            parent,
            source,
            identity=identity,
            domain=domain,
            trust=trust,
            engine=work.make(),
            products=products,
            progress=progress,
        )
    save_or_rescue(made.model, out, overwrite=overwrite)
    if json:
        print_json(_summary(made, out))
    else:
        _print(made.adapted, out, table)


def _refuse_codes(table: str) -> None:
    from sensitivenets.codes.code_files import is_code_file

    if is_code_file(table):
        raise InputError(f"{table}: holds codes; adapt to the embeddings they were made from")


def _print(found: Adapted, out: Path, table: str) -> None:
    shares = zip(_names(found), found.rows, found.own, strict=True)
    print_table(
        ["predicted group", "rows", "own share"],
        [[name, str(rows), percent(own)] for name, rows, own in shares],
    )
    print_line(f"rows in another group than by the model's own router: {percent(found.drift)}")
    for line in found.forecast.lines():
        print_line(line)
    for doubt in found.doubts:
        print_line(f"doubt: {doubt}")
    print_line(f"model: {out}")
    if is_postgres_url(table):
        # Without what it takes to log in.
        shown = parse_postgres(table).shown
        print_line(f"next: sensitivenets transform {out} '{shown}' --to embedding_agnostic")
    else:
        print_line(f"next: sensitivenets transform {out} {table} --out agnostic.parquet")


def _names(found: Adapted) -> list[str]:
    """Give each predicted group a number, counted in each source anew."""
    sources = found.sources or ("",)
    numbers = range(1, len(found.rows) // len(sources) + 1)
    return [f"{source} {number}".strip() for source in sources for number in numbers]


def _summary(made: AdaptedModel, out: Path) -> dict[str, Any]:
    return {
        "model": str(out),
        "fingerprint": dict(made.model.fingerprint),
        "adapted": made.adapted.record(),
    }
