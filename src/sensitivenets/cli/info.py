"""``sensitivenets info``: what a model folder or a table holds."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensitivenets.cli.output import print_json, print_line, print_table

if TYPE_CHECKING:
    from sensitivenets.maps.base import Model

# Columns that are printed.
_COLUMNS = 200


def info(
    path: str,
    /,
    *,
    identity: str | None = None,
    attribute: list[str] | None = None,
    embedding: str = "embedding",
    json: bool = False,
) -> None:
    """Describe a model folder or a table of embeddings or codes, and check it.

    Parameters
    ----------
    path
        A model folder, or a table: a file, a folder, a glob or a URL of .parquet, .feather, .csv,
        .jsonl, .npz, .npy or .safetensors.
    identity
        For a table: the column that says who a row shows.
    attribute
        For a table, with --identity: warn where the rows of an identity contradict each other on
        this column; give the option once for each.
    embedding
        Name of the embedding column, or of the columns of its features, such as 'f*'.
    json
        Write the result as JSON.
    """
    if _is_model(Path(path)):
        from sensitivenets.maps.model_folder import load_model

        model = load_model(path)
        if json:
            print_json(_model_facts(model))
        else:
            _print_model(model)
        return
    facts = _code_facts(path) or _table_facts(path, embedding, identity, attribute or [])
    if json:
        print_json(facts)
    else:
        _print_table(facts)


def _is_model(path: Path) -> bool:
    """Whether a folder is a model rather than a table of many files."""
    return path.is_dir() and (path / "config.json").exists()


def _model_facts(model: Model) -> dict[str, Any]:
    return {
        "method": model.method,
        "map": model.map.kind,
        "n_features_in": model.map.n_features_in,
        "n_features_out": model.map.n_features_out,
        "removed": {name: list(classes) for name, classes in model.removed.items()},
        "parameters": dict(model.parameters),
        "fingerprint": dict(model.fingerprint),
        "curve": [dict(record) for record in model.curve],
    }


def _print_model(model: Model) -> None:
    size = f"{model.map.n_features_in} features to {model.map.n_features_out}"
    print_line(f"{model.method}: {size} ({model.map.kind})")
    print_table(
        ["fitted to remove", "classes"],
        [[name, ", ".join(classes)] for name, classes in model.removed.items()],
        numbers=False,
    )
    print_line()
    parameters = [[name, str(value)] for name, value in model.parameters.items()]
    print_table(["parameter", "value"], parameters, numbers=False)
    print_line()
    rows = [
        [name, ", ".join(f"{k} {v}" for k, v in data.items())]
        for name, data in model.fingerprint.items()
    ]
    print_table(["training data", ""], rows, numbers=False)
    print_line(f"records of the training curve: {len(model.curve)}")


def _code_facts(path: str) -> dict[str, Any] | None:
    from sensitivenets.codes.code_files import is_code_file, read_codes
    from sensitivenets.embeddings.description import describe_table

    if not is_code_file(path):
        return None
    codes = read_codes(path)
    parameters = codes.parameters
    about = {"key_id": codes.key_id, "n_bits": parameters.n_bits, "scale": parameters.scale}
    return describe_table(codes.as_embeddings()) | {"codes": about}


def _table_facts(
    path: str, embedding: str, identity: str | None, attributes: list[str]
) -> dict[str, Any]:
    from sensitivenets.cli.selection import open_rows
    from sensitivenets.embeddings.checks import warn_about_rows
    from sensitivenets.embeddings.description import describe_rows
    from sensitivenets.embeddings.source_rows import SourceRows
    from sensitivenets.engines import InProcess
    from sensitivenets.progress import progress_bar

    source = open_rows(path, [], embedding)
    with progress_bar("info") as progress:
        rows = SourceRows(source, InProcess(), progress)
        warn_about_rows(rows, identity=identity, attributes=attributes)
        return describe_rows(rows)


def _print_table(facts: dict[str, Any]) -> None:
    if codes := facts.get("codes"):
        print_line(
            f"codes of {codes['n_bits']} bits at scale {codes['scale']:g}, key {codes['key_id']}"
        )
    norm = facts["norm"]
    print_line(
        f"{facts['rows']} rows of {facts['n_features']} features, length "
        f"{norm['smallest']:.4g} to {norm['largest']:.4g}, effective rank "
        f"{facts['effective_rank']:.1f}"
    )
    rows = [
        [
            name,
            column["type"],
            "" if column["distinct"] is None else str(column["distinct"]),
            str(column["unlabelled"]),
            ", ".join(f"{value} ({n})" for value, n in column["most_frequent"].items()),
        ]
        for name, column in islice(facts["columns"].items(), _COLUMNS)
    ]
    header = ["column", "type", "distinct", "unlabelled", "most frequent"]
    print_table(header, rows, numbers=False)
    if (more := len(facts["columns"]) - _COLUMNS) > 0:
        print_line(f"and {more} more columns, all in --json")
