"""``sensitivenets transform``: apply a model to a table, or to each file of a folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from cyclopts import Parameter

from sensitivenets.cli.engine_options import DeviceOptions
from sensitivenets.cli.output import print_json, print_line, print_notice
from sensitivenets.cli.selection import (
    folder_to_write,
    open_rows,
    refuse_own_output,
    table_to_write,
)
from sensitivenets.cli.transform_column import transform_column
from sensitivenets.connectors.postgres import is_postgres_url
from sensitivenets.errors import InputError

_HERE = DeviceOptions()


def transform(
    model: Path,
    table: str,
    /,
    *,
    out: str | None = None,
    to: str | None = None,
    key: str | None = None,
    where: list[str] | None = None,
    embedding: Annotated[str, Parameter(alias="--column")] = "embedding",
    keep: list[str] | None = None,
    overwrite: bool = False,
    work: DeviceOptions = _HERE,
    json: bool = False,
) -> None:
    """Map the embeddings of a table to agnostic embeddings.

    The columns of the attributes that the model removes are left out, the others stay. Values are
    rounded to 16 binary digits after the first, so that their last digits tell nothing. Rows are
    read and written block by block, so that any table fits into memory. The file says which rows
    its model was fitted on, so that an audit knows it.

    Parameters
    ----------
    model
        Model folder.
    table
        Embeddings of the network that the model was fitted for: a file, a folder, a glob or a URL
        of .parquet, .feather, .csv, .jsonl, .npz, .npy or .safetensors; or a table of a database,
        'postgresql://host/database?table=faces'.
    out
        Parquet file to write; or, for a folder of files, a folder to write a file for each to. A
        run that was stopped goes on where it was.
    to
        For a table of a database: the column to fill, in place of --out. It is made if it is not
        there; a run that was stopped goes on where it was, and several may work at once.
    key
        With --to: the column that tells rows apart; the primary key unless given.
    where
        Write only the rows with COLUMN=VALUE; may be given several times.
    embedding
        Name of the embedding column, or of the columns of its features, such as 'f*'.
    keep
        Write this column although the model removes its attribute; may be given several times.
    overwrite
        Replace files that are already there.
    work
        Who does the work, a file at a time.
    json
        Write the result as JSON.
    """
    from sensitivenets.maps.model_folder import load_model
    from sensitivenets.maps.transform_files import (
        Transformation,
        transform_to_file,
        transform_to_folder,
    )
    from sensitivenets.progress import progress_bar

    if to is not None:
        _refuse_with_to(table, out=out, where=where, keep=keep, overwrite=overwrite, work=work)
        transform_column(model, table, key=key, column=embedding, to=to, json=json)
        return
    if key is not None:
        raise InputError("--key: is for a column of a database: add --to")
    if out is None:
        raise InputError(
            "expected --out, a .parquet file or a folder; for a database, --to and a new column"
        )
    to_folder = _is_folder(table, out)
    place = folder_to_write(out) if to_folder else table_to_write(out, overwrite=overwrite)
    loaded = load_model(model)
    if work.device is not None:
        # Numpy multiplies by itself: nothing of erasers is loaded for it.
        (phi,) = work.products().maps([loaded.map])
        loaded = replace(loaded, map=phi)
    transformation = Transformation(loaded, str(model), tuple(keep or ()))
    source = open_rows(table, where or [], embedding)
    refuse_own_output(source, transformation.model, model)
    facts: dict[str, Any] = {"table": place.shown, "rows": source.n_rows}
    with progress_bar("transform") as progress:
        if to_folder:
            written = transform_to_folder(
                transformation,
                source,
                place,
                overwrite=overwrite,
                engine=work.make(),
                progress=progress,
            )
            facts |= {"files": written.parts, "already_there": written.found}
        else:
            transform_to_file(transformation, source, place, progress)
    facts["n_features"] = transformation.model.map.n_features_out
    facts["left_out"] = transformation.left_out(source)
    if json:
        print_json(facts)
    else:
        _print(facts)


def _refuse_with_to(table: str, *, work: DeviceOptions, **options: Any) -> None:
    if not is_postgres_url(table):
        raise InputError(
            f"--to: is for a table of a database, such as 'postgresql://host/database?table=faces'"
            f"; found {table}, for which give --out"
        )
    given = [name for name, value in options.items() if value]
    if given:
        raise InputError(f"--{given[0]}: is for --out; with --to all rows stay, with all columns")
    if work.device is not None:
        raise InputError("--device: is for files; with --to, numpy multiplies: leave it out")
    if work != _HERE:
        raise InputError("--engine: is for files; with --to, start the command several times")


def _is_folder(table: str, out: str) -> bool:
    """Whether a folder is written: not if either of the two names is that of a file."""
    from pyarrow.fs import FileType

    from sensitivenets.embeddings.location import find_place

    if PurePosixPath(out.partition("?")[0]).suffix or is_postgres_url(table):
        return False
    return bool(find_place(table).info().type != FileType.File)


def _print(facts: dict[str, Any]) -> None:
    files = f" in {facts['files']} files" if "files" in facts else ""
    before = f" ({facts['already_there']} were there)" if facts.get("already_there") else ""
    print_line(
        f"{facts['rows']} rows of {facts['n_features']} features{files}{before}: {facts['table']}"
    )
    if left_out := facts["left_out"]:
        print_notice(f"left out: {', '.join(left_out)} (removed by the model; --keep writes it)")
