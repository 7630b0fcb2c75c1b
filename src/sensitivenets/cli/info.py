"""``sensitivenets info``: what a model folder or a table holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sensitivenets.cli.output import print_json, print_line, print_table

if TYPE_CHECKING:
    from sensitivenets.embeddings import FloatArray
    from sensitivenets.maps.base import Model

# Rows whose rank is measured, and classes that are named.
_RANK_ROWS = 2000
_CLASSES = 6


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
    from sensitivenets.embeddings.collapse import measure_collapse

    if not is_code_file(path):
        return None
    codes = read_codes(path)
    sample = codes.take(np.arange(0, len(codes), _every(len(codes)))).as_embeddings()
    return {
        "rows": len(codes),
        "n_features": codes.parameters.n_bits,
        "norm": {"smallest": 1.0, "largest": 1.0},
        "effective_rank": measure_collapse(sample.vectors).effective_rank,
        "columns": {n: _column_facts(n, codes.columns[n]) for n in codes.columns.column_names},
        "codes": {
            "key_id": codes.key_id,
            "n_bits": codes.parameters.n_bits,
            "scale": codes.parameters.scale,
        },
    }


def _table_facts(
    path: str, embedding: str, identity: str | None, attributes: list[str]
) -> dict[str, Any]:
    from sensitivenets.cli.selection import open_rows
    from sensitivenets.embeddings.checks import warn_about_rows
    from sensitivenets.embeddings.collapse import measure_collapse
    from sensitivenets.embeddings.source_rows import SourceRows
    from sensitivenets.engines import InProcess
    from sensitivenets.progress import progress_bar

    source = open_rows(path, [], embedding)
    with progress_bar("info") as progress:
        rows = SourceRows(source, InProcess(), progress)
        warn_about_rows(rows, identity=identity, attributes=attributes)
        seen = list(rows.over(_Seen(_every(source.n_rows))))
    sample = np.concatenate([rows for _, _, rows in seen])
    columns = {n: _column_facts(n, source.read_labels([n])[n]) for n in source.labels.names}
    return {
        "rows": source.n_rows,
        "n_features": sample.shape[1],
        "norm": {
            "smallest": min(smallest for smallest, _, _ in seen),
            "largest": max(largest for _, largest, _ in seen),
        },
        "effective_rank": measure_collapse(sample).effective_rank,
        "columns": columns,
    }


def _every(n_rows: int) -> int:
    """How many rows apart those are whose rank is measured."""
    return max(1, n_rows // _RANK_ROWS)


@dataclass(frozen=True)
class _Seen:
    """Tells of a stretch the shortest and the longest row, and every so manyth row."""

    every: int

    def __call__(
        self, chunks: Iterable[tuple[slice, FloatArray]]
    ) -> tuple[float, float, FloatArray]:
        from sensitivenets.embeddings import squared_norms

        norms, sample = [], []
        for rows, X in chunks:
            norms.append(np.sqrt(squared_norms(X)))
            sample.append(X[-rows.start % self.every :: self.every])
        found = np.concatenate(norms)
        return float(found.min()), float(found.max()), np.concatenate(sample)


def _column_facts(name: str, column: pa.ChunkedArray) -> dict[str, Any]:
    from sensitivenets.embeddings import encode

    labels = encode(name, column)
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
            str(column["distinct"]),
            str(column["unlabelled"]),
            ", ".join(f"{value} ({n})" for value, n in column["most_frequent"].items()),
        ]
        for name, column in facts["columns"].items()
    ]
    header = ["column", "type", "distinct", "unlabelled", "most frequent"]
    print_table(header, rows, numbers=False)
