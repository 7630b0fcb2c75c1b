"""Routed transport on real faces: what the whole audit still reads, and what verification costs.

    SENSITIVENETS_DATA=... python experiments/best_eraser.py [--point NAME ...] [--seeds N]

Fitted on fairface `fit`, attacked on attack_train -> attack_test by the full battery and, because
the map is public, after inversion; verified on LFW. Every choice was made on splits of `fit` and on
pairs of celeba: docs/best_eraser_results.md. One line a point and seed, in percent.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from sensitivenets.audit import AuditResult, audit, split_by_column
from sensitivenets.embeddings import EmbeddingTable, read_table
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.maps.base import FittedMap
from sensitivenets.verification import read_pairs, verify, verify_all_pairs

ATTRIBUTES = ("gender", "ethnicity")
_FIGURES = ("balanced_accuracy", "low", "high")
POINTS: dict[str, dict[str, Any]] = {
    "one round": {"n_rounds": 1},
    "three rounds": {},
    "three rounds, cells": {"n_cell_rounds": 6},
}


def fit(table: EmbeddingTable, parameters: dict[str, Any], seed: int) -> tuple[FittedMap, float]:
    """Fit on the rows of `fit`; return the map and the seconds it took."""
    split = table.labels("split")
    rows = table.take(np.flatnonzero(split.codes == split.classes.index("fit")))
    sensitive = {name: rows.column(name) for name in ATTRIBUTES}
    start = time.perf_counter()
    eraser = RoutedTransport(**parameters, random_state=seed).fit(rows.vectors, sensitive=sensitive)
    return eraser.model_.map, time.perf_counter() - start


def verification(table: EmbeddingTable, phi: FittedMap, folder: Path) -> dict[str, float]:
    """Accuracy of both views of LFW, and true accepts at FMR 1e-3 of view 2 and of all pairs."""
    agnostic = phi(table.vectors)
    found: dict[str, float] = {}
    for protocol in ("view1_test", "view2"):
        pairs = read_pairs(folder / "lfw_pairs.parquet", protocol=protocol)
        result = verify(agnostic, pairs, n_bootstrap=0)
        found[protocol] = result.accuracy.estimate.value
    every = verify_all_pairs(agnostic, table.labels("subject"), n_bootstrap=0)
    for name, points in (("view2", result.fnmr_at_fmr), ("all pairs", every.fnmr_at_fmr)):
        rate = next(p.fnmr for p in points if p.target_fmr == 1e-3)
        found[f"TAR@FMR 1e-3, {name}"] = float("nan") if rate is None else 1 - rate.value
    return found


def leakage(table: EmbeddingTable, phi: FittedMap, seed: int) -> AuditResult:
    """Run the whole audit, inversion included."""
    return audit(
        table,
        table.with_vectors(phi(table.vectors)),
        table.attributes(ATTRIBUTES),
        split=split_by_column(table.labels("split"), "attack_train", "attack_test"),
        phi=phi,
        curves=False,
        random_state=seed,
    )


def main() -> None:
    """Print one JSON record a point and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--point", choices=POINTS, action="append")
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    folder = Path(os.environ["SENSITIVENETS_DATA"])
    faces, lfw = (read_table(folder / name) for name in ("fairface.parquet", "lfw.parquet"))
    for name in arguments.point or POINTS:
        for seed in range(arguments.seeds):
            phi, seconds = fit(faces, POINTS[name], seed)
            record: dict[str, Any] = {"point": name, "seed": seed, "fit_seconds": seconds}
            record |= verification(lfw, phi, folder)
            for attribute in leakage(faces, phi, seed).attributes:
                record[attribute.name] = {
                    side: None
                    if battery is None
                    else [
                        battery.strongest.attacker,
                        battery.strongest.preparation,
                        *(round(100 * getattr(battery.strongest, name), 1) for name in _FIGURES),
                    ]
                    for side, battery in (
                        ("before", attribute.before),
                        ("after", attribute.after),
                        ("inverted", attribute.inverted),
                    )
                }
                if (reduction := attribute.reduction) is not None:
                    ends = (reduction.reduction, reduction.low, reduction.high)
                    record[attribute.name]["reduction"] = [round(100 * end, 1) for end in ends]
            json.dump(record, sys.stdout)
            print(flush=True)


if __name__ == "__main__":
    main()
