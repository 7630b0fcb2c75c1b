"""Time and memory of an audit as the command runs it, two attributes, before and after a map.

    python benchmarks/audit.py [--only quick|whole|public] [--json folder]

Quick (Table I), whole (curves, certificates, t-SNE), and whole with the map known to the attackers,
who undo it and learn from faces that they push through it. With SENSITIVENETS_DATA the rows are
fairface.parquet, attack_train -> attack_test (9 000 / 1 800 rows of 128 features), and the map is a
routed transport of its fit rows; without it, random rows of the same size with planted attributes,
half of them to fit on.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from joblib.externals.loky import get_reusable_executor

from sensitivenets.audit import AuditResult, progress_bar, split_by_column
from sensitivenets.embeddings import EmbeddingTable, read_table
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.report import audit, save_json

N_TRAIN, N_TEST, DIM = 9000, 1800, 128
ATTRIBUTES = ("gender", "ethnicity")
MODES = ("quick", "whole", "public")


def made_up_rows() -> EmbeddingTable:
    """Draw unit rows whose first features shift with two attributes."""
    rng = np.random.default_rng(0)
    sizes = {"fit": N_TRAIN + N_TEST, "attack_train": N_TRAIN, "attack_test": N_TEST}
    n = sum(sizes.values())
    gender, ethnicity = rng.integers(2, size=n), rng.integers(3, size=n)
    rows = rng.standard_normal((n, DIM)).astype(np.float32)
    rows[:, 0] += gender
    rows[np.arange(n), 1 + ethnicity] += 1
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    split = np.repeat(list(sizes), list(sizes.values()))
    columns = {"gender": gender.astype(str), "ethnicity": ethnicity.astype(str), "split": split}
    return EmbeddingTable(rows, pa.table(columns), "made up")


def show(mode: str, result: AuditResult, wall: float, cpu: float) -> None:
    """Print one table of figures and one line of time."""
    for attribute in (*result.attributes, *([result.joint] if result.joint else [])):
        before, after = attribute.before.strongest, attribute.strongest
        print(
            f"{mode:>6}  {attribute.name:<20} chance {100 * attribute.chance:4.1f}   "
            f"before {100 * before.balanced_accuracy:4.1f} ({before.attacker}, "
            f"{before.preparation})   after {100 * after.balanced_accuracy:4.1f} "
            f"({after.attacker}, {after.preparation})   trustworthy {attribute.trustworthy}"
        )
    print(f"{mode:>6}  {wall:.0f} s wall, {cpu:.0f} s of processor time, {os.cpu_count()} cores")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=MODES)
    parser.add_argument("--json", type=Path, help="folder to keep the results in")
    options = parser.parse_args()
    folder = os.environ.get("SENSITIVENETS_DATA")
    table = read_table(Path(folder) / "fairface.parquet") if folder else made_up_rows()
    fitted_on = np.equal(table.column("split"), "fit")
    known, before = table.take(fitted_on), table.take(~fitted_on)
    sensitive = {name: known.column(name) for name in ATTRIBUTES}
    model = RoutedTransport(random_state=0).fit(known.vectors, sensitive=sensitive).model_
    after = before.with_vectors(model.map(before.vectors))
    split = split_by_column(before.labels("split"), "attack_train", "attack_test")
    modes: dict[str, dict[str, Any]] = {
        "quick": {"quick": True},
        "whole": {},
        "public": {"model": model, "unlabelled": known},
    }
    for mode, means in modes.items():
        if options.only not in {None, mode}:
            continue
        wall, cpu = time.perf_counter(), processor_seconds()
        with progress_bar(mode) as progress:
            result = audit(before, after, ATTRIBUTES, split=split, progress=progress, **means)
        wall = time.perf_counter() - wall
        show(mode, result, wall, processor_seconds() - cpu)
        if options.json:
            save_json(result, options.json / f"{mode}.json")
    own, largest = (
        resource.getrusage(who).ru_maxrss / 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(
        f"peak memory {own:.0f} MiB here, {largest:.0f} MiB in the largest of 2 processes: "
        f"{own + 2 * largest:.0f} MiB at most"
    )


def processor_seconds() -> float:
    """Processor time of this process and of those it started, which are ended first."""
    get_reusable_executor().shutdown(wait=True)
    own, children = (
        resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
