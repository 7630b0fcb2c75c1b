"""All figures of a benchmark as one Parquet table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from sensitivenets.audit import AttackerResult, Headline
from sensitivenets.benchmark.record import AttackFigures, RunRecord
from sensitivenets.embeddings.parquet_files import write_parquet

_SCHEMA = pa.schema([
    ("key", pa.string()),
    ("method", pa.string()),
    ("parameters", pa.string()),
    ("seed", pa.int64()),
    ("error", pa.string()),
    ("notes", pa.list_(pa.string())),
    ("fit_seconds", pa.float64()),
    ("transform_rows_per_second", pa.float64()),
    ("peak_memory", pa.int64()),
    ("n_features", pa.int64()),
    ("figure", pa.string()),
    ("attribute", pa.string()),
    ("attacker", pa.string()),
    ("preparation", pa.string()),
    ("threat", pa.string()),
    ("protocol", pa.string()),
    ("value", pa.float64()),
    ("low", pa.float64()),
    ("high", pa.float64()),
    ("n", pa.int64()),
])


def write_results(records: Sequence[RunRecord], path: Path) -> None:
    """Write one row for each figure of each run.

    The column ``figure`` says what ``value`` is: ``"balanced accuracy"`` of an attacker (``threat``
    says what it attacked), ``"strongest balanced accuracy"`` of an attribute, with the interval of
    the strongest, ``"accuracy"``, ``"EER"`` or ``"TAR at FMR ..."`` of a protocol. A run that
    failed has one row, with its ``error`` and no figure. ``notes`` are what the method warned of.

    Parameters
    ----------
    records : sequence of RunRecord
        All finished runs.
    path : Path
        A ``.parquet`` file; replaced if it is there.
    """
    rows = [row for record in records for row in _rows(record)]
    write_parquet(pa.Table.from_pylist(rows, schema=_SCHEMA), path)


def _rows(record: RunRecord) -> Iterator[dict[str, Any]]:
    run: dict[str, Any] = {
        "key": record.key,
        "method": record.method,
        "parameters": json.dumps(record.parameters, sort_keys=True),
        "seed": record.seed,
        "error": record.error,
        "notes": list(record.notes),
    }
    figures = record.figures
    if figures is None:
        yield run
        return
    costs = ("fit_seconds", "transform_rows_per_second", "peak_memory", "n_features")
    run |= {name: getattr(figures, name) for name in costs}
    for attribute in figures.attributes:
        yield from (run | row for row in _attack_rows(attribute))
    for one in figures.verification:
        values = {"accuracy": one.accuracy, "EER": one.eer}
        values |= {f"TAR at FMR {rate.fmr:g}": rate.tar for rate in one.accept_rates}
        for name, value in values.items():
            if value is not None:
                interval = {"value": value.value, "low": value.low, "high": value.high}
                yield run | {"figure": name, "protocol": one.name, "n": value.n} | interval


def _attack_rows(attribute: AttackFigures) -> Iterator[dict[str, Any]]:
    strongest = {"map secret": attribute.map_secret, "map known": attribute.strongest}
    for threat, headline in strongest.items():
        yield _attack_row("strongest balanced accuracy", attribute.name, threat, headline)
    sides = {"map secret": attribute.attackers, "map inverted": attribute.inverted}
    for threat, attackers in sides.items():
        for result in attackers:
            yield _attack_row("balanced accuracy", attribute.name, threat, result)


def _attack_row(
    figure: str, attribute: str, threat: str, found: AttackerResult | Headline
) -> dict[str, Any]:
    return {
        "figure": figure,
        "attribute": attribute,
        "attacker": found.attacker,
        "preparation": found.preparation,
        "threat": threat,
        "value": found.balanced_accuracy,
        "low": found.low,
        "high": found.high,
        "n": found.n,
    }
