"""``sensitivenets transform --to``: apply a model to a column of a database."""

from __future__ import annotations

from pathlib import Path

from sensitivenets.cli.output import print_json, print_line, print_notice


def transform_column(
    model: Path, table: str, *, key: str | None, column: str, to: str, json: bool
) -> None:
    """Fill a column of a table with what a model makes of another column.

    Parameters
    ----------
    model : Path
        Model folder.
    table : str
        URL of the table.
    key : str or None
        Column that tells rows apart; the primary key unless given.
    column : str
        The embeddings, unless the URL names a column.
    to : str
        Column to fill.
    json : bool
        Write the result as JSON.

    Raises
    ------
    InputError
        If the model or the table cannot be used.
    """
    from sensitivenets.connectors.postgres import parse_postgres
    from sensitivenets.maps.model_folder import load_model
    from sensitivenets.maps.transform_column import steps_behind
    from sensitivenets.maps.transform_column import transform_column as fill
    from sensitivenets.progress import progress_bar

    loaded = load_model(model)
    place = parse_postgres(table, key=key, column=parse_postgres(table).column or column)
    with progress_bar("transform") as progress:
        done = fill(loaded, place, to=to, progress=progress)
    steps = steps_behind(loaded, place, to, done)
    name = ".".join(place.path)
    if json:
        print_json({
            "table": place.shown,
            "column": to,
            "rows": done.rows,
            "rows_in_all": done.in_all,
            "rows_without_embedding": done.without,
            "n_features": loaded.map.n_features_out,
            "next": steps,
        })
        return
    print_line(f"{done.rows} rows of {loaded.map.n_features_out} features: {name}.{to}")
    if done.in_all != done.rows:
        print_line(f"{done.in_all} rows in all, with those of other runs")
    if done.without:
        print_line(f"{done.without} rows have no embedding")
    for step in steps:
        print_notice(f"next: {step}")
