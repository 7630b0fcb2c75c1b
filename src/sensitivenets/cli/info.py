"""``sensitivenets info``: what a model folder or a table holds."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensitivenets.cli.output import print_json, print_line, print_table
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from pyarrow import ChunkedArray

    from sensitivenets.embeddings import EmbeddingTable
    from sensitivenets.maps.base import Model

# Rows whose rank is measured, and classes that are named.
_RANK_ROWS = 2000
_CLASSES = 6
# Columns that are printed.
_COLUMNS = 200


def info(
    path: Path,
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
        A model folder, or a table: .parquet, .npz, or .npy beside .csv.
    identity
        For a table: the column that says who a row shows.
    attribute
        For a table, with --identity: warn where the rows of an identity contradict each other on
        this column; give the option once for each.
    embedding
        Name of the embedding column.
    json
        Write the result as JSON.
    """
    if path.is_dir():
        from sensitivenets.maps.model_folder import load_model

        model = load_model(path)
        if json:
            print_json(_model_facts(model))
        else:
            _print_model(model)
        return
    from sensitivenets.codes.code_files import is_code_file, read_codes
    from sensitivenets.embeddings import read_table
    from sensitivenets.embeddings.checks import warn_about

    codes = read_codes(path) if is_code_file(path) else None
    table = read_table(path, embedding=embedding) if codes is None else codes.as_embeddings()
    warn_about(table, identity=identity, attributes=attribute or [])
    facts = _table_facts(table)
    if codes is not None:
        bits, scale = codes.parameters.n_bits, codes.parameters.scale
        facts["codes"] = {"key_id": codes.key_id, "n_bits": bits, "scale": scale}
    if json:
        print_json(facts)
    else:
        _print_table(facts)


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


def _table_facts(table: EmbeddingTable) -> dict[str, Any]:
    import numpy as np

    from sensitivenets.embeddings import squared_norms
    from sensitivenets.embeddings.collapse import measure_collapse

    norms = np.sqrt(squared_norms(table.vectors))
    sample = table.vectors[:: max(1, len(table) // _RANK_ROWS)]
    return {
        "rows": len(table),
        "n_features": table.dim,
        "norm": {"smallest": float(norms.min()), "largest": float(norms.max())},
        "effective_rank": measure_collapse(sample).effective_rank,
        "columns": {
            name: _column_facts(name, column)
            for name, column in zip(table.columns.column_names, table.columns.columns, strict=True)
        },
    }


def _column_facts(name: str, column: ChunkedArray) -> dict[str, Any]:
    from sensitivenets.embeddings import encode

    try:
        labels = encode(name, column)
    except InputError:
        # Boxes, landmarks and the like are no labels, and not to be counted.
        nothing: dict[str, Any] = {"distinct": None, "most_frequent": {}}
        return {"type": str(column.type), "unlabelled": column.null_count} | nothing
    counts = sorted(labels.counts().items(), key=lambda item: -item[1])
    return {
        "type": str(column.type),
        "distinct": len(labels.classes),
        "unlabelled": int((~labels.labelled).sum()),
        # Of values that all occur once, none is more frequent than another.
        "most_frequent": {value: n for value, n in counts[:_CLASSES] if n > 1},
    }


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
