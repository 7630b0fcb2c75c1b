"""Time and memory of the audit: quick (Table I) and full, two attributes, before and after.

    python benchmarks/audit.py [--only quick|full] [--json folder]

With SENSITIVENETS_DATA the rows are fairface.parquet, attack_train -> attack_test (9 000 / 1 800
rows of 128 features); without it, random rows of the same size with planted attributes. "After" is
"before" with Gaussian noise, normalised: enough of it that attackers have to work.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from pathlib import Path

import numpy as np
from joblib.externals.loky import get_reusable_executor

from sensitivenets.audit import (
    AuditResult,
    Split,
    audit,
    progress_bar,
    quick_audit,
    split_by_column,
)
from sensitivenets.embeddings import FloatArray, Labels, encode, read_table
from sensitivenets.report import save_json

N_TRAIN, N_TEST, DIM = 9000, 1800, 128
NOISE = 0.06


def real_rows(folder: Path) -> tuple[FloatArray, dict[str, Labels], Split]:
    """Read fairface.parquet: embeddings, two attributes, and its own split."""
    table = read_table(folder / "fairface.parquet")
    split = split_by_column(table.labels("split"), "attack_train", "attack_test")
    return table.vectors, table.attributes(["gender", "ethnicity"]), split


def made_up_rows() -> tuple[FloatArray, dict[str, Labels], Split]:
    """Draw unit rows whose first features shift with two attributes."""
    rng = np.random.default_rng(0)
    n = N_TRAIN + N_TEST
    gender, ethnicity = rng.integers(2, size=n), rng.integers(3, size=n)
    rows = rng.standard_normal((n, DIM)).astype(np.float32)
    rows[:, 0] += gender
    rows[np.arange(n), 1 + ethnicity] += 1
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = {"gender": encode("gender", gender), "ethnicity": encode("ethnicity", ethnicity)}
    return rows, labels, Split(np.arange(N_TRAIN), np.arange(N_TRAIN, n))


def with_noise(rows: FloatArray) -> FloatArray:
    """Add Gaussian noise and normalise."""
    rng = np.random.default_rng(1)
    noisy = rows + NOISE * rng.standard_normal(rows.shape).astype(np.float32)
    return np.asarray(noisy / np.linalg.norm(noisy, axis=1, keepdims=True), dtype=np.float32)


def show(mode: str, result: AuditResult, wall: float, cpu: float) -> None:
    """Print one table of figures and one line of time."""
    for attribute in (*result.attributes, *([result.joint] if result.joint else [])):
        before, after = attribute.before.strongest, attribute.strongest
        print(
            f"{mode:>5}  {attribute.name:<20} chance {100 * attribute.chance:4.1f}   "
            f"before {100 * before.balanced_accuracy:4.1f} ({before.attacker}, "
            f"{before.preparation})   after {100 * after.balanced_accuracy:4.1f} "
            f"({after.attacker}, {after.preparation})   trustworthy {attribute.trustworthy}"
        )
    print(f"{mode:>5}  {wall:.0f} s wall, {cpu:.0f} s of processor time, {os.cpu_count()} cores")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["quick", "full"])
    parser.add_argument("--json", type=Path, help="folder to keep the results in")
    options = parser.parse_args()
    folder = os.environ.get("SENSITIVENETS_DATA")
    rows, labels, split = real_rows(Path(folder)) if folder else made_up_rows()
    after = with_noise(rows)
    for mode, run in (("quick", quick_audit), ("full", audit)):
        if options.only not in {None, mode}:
            continue
        wall, cpu = time.perf_counter(), processor_seconds()
        with progress_bar(mode) as progress:
            result = run(rows, after, labels, split=split, progress=progress)
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
