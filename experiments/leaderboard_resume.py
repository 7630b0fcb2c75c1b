"""Go on with a published leaderboard: from its table of runs back to the records of the runs.

    python experiments/leaderboard_resume.py docs/leaderboard/whole.parquet CONTEXT OUT

`sensitivenets benchmark --out OUT` then does only what is missing. CONTEXT is that of the records
that the benchmark writes for the same data, settings and version (`"context"` in any of them): a
run whose key does not follow from it is refused. The table has no parameters of attackers, no
areas under curves and no bounds of noise: the records have none either, and say that all is above
chance and that the controls held, as the published page does.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from sensitivenets.audit import AttackerResult, Headline
from sensitivenets.audit.results import MAJORITY
from sensitivenets.benchmark.record import (
    AcceptRate,
    AttackFigures,
    Figures,
    RunRecord,
    VerificationFigures,
    save_record,
)
from sensitivenets.benchmark.runs import RUNS
from sensitivenets.intervals import Estimate
from sensitivenets.verification.rates import FMR_TARGETS

Row = dict[str, Any]
_COSTS = ("fit_seconds", "transform_rows_per_second", "peak_memory", "n_features")


def record_of(rows: list[Row], context: str) -> RunRecord:
    """Make the record of one run from its rows."""
    first = rows[0]
    names = dict.fromkeys(row["attribute"] for row in rows if row["attribute"])
    figures = Figures(
        **{cost: first[cost] for cost in _COSTS},
        attributes=tuple(_attribute([r for r in rows if r["attribute"] == n]) for n in names),
        inversion_cosine=None,
        verification=(_verification([row for row in rows if row["protocol"]]),),
    )
    record = RunRecord(
        first["key"],
        context,
        first["method"],
        json.loads(first["parameters"]),
        first["seed"],
        figures,
        None,
        tuple(first["notes"]),
    )
    if record.run.key(context) != record.key:
        raise SystemExit(f"{record.run}: not of the context {context}")
    return record


def _attribute(rows: list[Row]) -> AttackFigures:
    each = {
        threat: [r for r in rows if r["threat"] == threat and r["figure"] == "balanced accuracy"]
        for threat in ("map secret", "map inverted")
    }
    strongest = {r["threat"]: r for r in rows if r["figure"] == "strongest balanced accuracy"}
    return AttackFigures(
        name=rows[0]["attribute"],
        chance=next(r["value"] for r in each["map secret"] if r["attacker"] == MAJORITY),
        strongest=_headline(strongest["map known"]),
        map_secret=_headline(strongest["map secret"]),
        attackers=tuple(map(_attacker, each["map secret"])),
        inverted=tuple(map(_attacker, each["map inverted"])),
        shuffled_at_chance=True,
    )


def _attacker(row: Row) -> AttackerResult:
    figures = (row["value"], row["low"], row["high"])
    return AttackerResult(row["attacker"], row["preparation"], *figures, None, row["n"])


def _headline(row: Row) -> Headline:
    figures = (row["value"], row["low"], row["high"])
    return Headline(row["attacker"], row["preparation"], *figures, row["n"], 0.0, True)


def _verification(rows: list[Row]) -> VerificationFigures:
    found = {r["figure"]: Estimate(r["value"], r["low"], r["high"], r["n"]) for r in rows}
    rates = tuple(AcceptRate(fmr, found.get(f"TAR at FMR {fmr:g}")) for fmr in FMR_TARGETS)
    accuracy = found.get("accuracy")
    eer = found["EER"]
    return VerificationFigures(rows[0]["protocol"], (accuracy or eer).n, accuracy, eer, rates)


def main() -> None:
    """Write the records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("context")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    runs: dict[str, list[Row]] = {}
    for row in pq.read_table(arguments.results).to_pylist():
        runs.setdefault(row["key"], []).append(row)
    folder = arguments.out / RUNS
    folder.mkdir(parents=True, exist_ok=True)
    for rows in runs.values():
        save_record(record_of(rows, arguments.context), folder)
    print(f"{len(runs)} records: {folder}")


if __name__ == "__main__":
    main()
