"""Every command on a table larger than it may hold: rows a second, and memory at its most.

    python benchmarks/scale.py [--rows 1000000] [--dim 128] [--layout one-group] [--rounds 1]

Makes a table of six groups and ten rows a subject in a temporary folder, as one Parquet file whose
rows are all in one row group ("one-group"), one file of usual row groups ("file"), or a folder of
twenty files ("parts"); runs each command in a process of its own, as a person would, and removes
all of it. Rows a second count the whole command: starting Python, reading, writing. Beside them are
reading alone, and the bare products on rows in memory: X.T @ X for what fits, X @ W for what maps.
Memory is the most resident memory of the process, its libraries included.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sensitivenets.embeddings import vectors_to_arrow

CHUNK = 50_000
PARTS = 20
# Rows of the labelled table that `protect` learns the groups from.
REFERENCE = 30_000
MEMORY_MIB = 1024
# What a process had at its most is told by itself: what wait4 tells begins with that of its parent.
PEAK = """
import atexit, sys
from pathlib import Path
def tell():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            Path("peak.txt").write_text(line.split()[1])
atexit.register(tell)
"""
CLI = f"{PEAK}from sensitivenets.cli import main; sys.exit(main(sys.argv[1:]))"
READ = f"""{PEAK}
from sensitivenets.embeddings.source import open_table
for _ in open_table(sys.argv[1]).blocks():
    pass
"""


def chunk(start: int, n: int, dim: int) -> pa.Table:
    """Draw rows of subjects, each in a group that shifts and stretches them."""
    centres = np.random.default_rng(0).standard_normal((6, dim)).astype(np.float32)
    rng = np.random.default_rng((1, start))
    subject = (start + np.arange(n)) // 10
    group = subject % 6
    X = rng.standard_normal((n, dim), dtype=np.float32) * (1 + group[:, None] / 10)
    X = (X + 0.5 * centres[group]).astype(np.float32)
    # What all rows of a subject share.
    X += np.random.default_rng((2, start)).standard_normal((n // 10 + 2, dim), dtype=np.float32)[
        subject - subject[0]
    ]
    return pa.table({
        "embedding": vectors_to_arrow(X),
        "subject": pa.array(subject).cast(pa.string()),
        "gender": pa.array(np.array(["Female", "Male"])[group % 2]),
        "ethnicity": pa.array(np.array(["one", "two", "three"])[group // 2]),
    })


def write(path: Path, start: int, stop: int, dim: int, group_rows: int) -> None:
    """Write rows as one Parquet file."""
    with pq.ParquetWriter(path, chunk(0, 10, dim).schema, compression="none") as writer:
        for at in range(start, stop, CHUNK):
            for batch in chunk(at, min(CHUNK, stop - at), dim).to_batches():
                writer.write_batch(batch, row_group_size=group_rows)


def make(folder: Path, layout: str, n: int, dim: int) -> Path:
    """Write the table, and return where it is."""
    if layout != "parts":
        path = folder / "faces.parquet"
        write(path, 0, n, dim, n if layout == "one-group" else CHUNK)
        return path
    (folder / "faces").mkdir()
    size = -(-n // PARTS)
    for k in range(PARTS):
        write(folder / "faces" / f"{k:02d}.parquet", k * size, min((k + 1) * size, n), dim, CHUNK)
    return folder / "faces"


@dataclass(frozen=True)
class Run:
    """What a process took."""

    seconds: float
    cpu_seconds: float
    mib: float


def run(folder: Path, code: str, *arguments: object) -> Run:
    """Run Python code in a process of its own."""
    started = time.perf_counter()
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=folder,
            stdout=output,
            stderr=output,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit((folder / "output.txt").read_text())
    seconds = time.perf_counter() - started
    peak = int((folder / "peak.txt").read_text()) / 1024
    return Run(seconds, used.ru_utime + used.ru_stime, peak)


def product(n: int, dim: int, work: Callable[[np.ndarray], object]) -> float:
    """Rows a second of a bare product on rows in memory, all threads of BLAS."""
    X = np.random.default_rng(0).standard_normal((min(n, 200_000), dim), dtype=np.float32)
    work(X)
    started = time.perf_counter()
    for _ in range(5):
        work(X)
    return 5 * len(X) / (time.perf_counter() - started)


def reference(folder: Path, dim: int) -> Path:
    """Write a labelled table of other people, of the same groups."""
    path = folder / "labelled.parquet"
    write(path, 10**9, 10**9 + REFERENCE, dim, CHUNK)
    return path


def commands(table: Path, known: Path, layout: str, rounds: int) -> dict[str, tuple[object, ...]]:
    """Return the commands, in an order in which each finds what it needs."""
    out = "agnostic" if layout == "parts" else "agnostic.parquet"
    remove = ("--remove", "gender", "--remove", "ethnicity")
    # One process, the attackers in it, so that its memory is all there is.
    protect = (
        *("protect", table, "--reference", known, *remove, "--quick", "--engine", "process"),
    )
    routed = ("--method", "routed_transport", "--set", f"n_rounds={rounds}")
    return {
        "info": ("info", table),
        "fit, LEACE": ("fit", table, *remove, "--method", "leace", "--out", "leace"),
        f"fit, routed transport, rounds: {rounds}": (
            *("fit", table, *remove, *routed, "--out", "routed"),
        ),
        "adapt": ("adapt", "routed", table, "--out", "adapted"),
        "adapt --identity": ("adapt", "routed", table, "--identity", "subject", "--out", "own"),
        "transform, LEACE": ("transform", "leace", table, "--out", out),
        "transform, adapted": ("transform", "adapted", table, "--out", f"own_{out}"),
        "transform --where": (
            *("transform", "leace", table, "--where", "gender=Male", "--out", f"men_{out}"),
        ),
        "protect, quick": (*protect, "--out", "protected"),
        "protect, quick, --identity": (
            *(*protect, "--identity", "subject", "--out", "protected_by_subject"),
        ),
        "encode, 1 024 bits": ("encode", table, "--key", "key", "--out", "codes.parquet"),
        "verify, drawn": ("verify", table, "--identity", "subject"),
    }


def main() -> None:
    """Run every command, and say what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--layout", choices=("one-group", "file", "parts"), default="one-group")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", action="append", help="commands whose name begins so")
    arguments = parser.parse_args()
    n, dim = arguments.rows, arguments.dim
    square = product(n, dim, lambda X: X.T @ X)
    W = np.random.default_rng(1).standard_normal((dim, dim), dtype=np.float32)
    mapped = product(n, dim, lambda X: X @ W)
    print(
        f"{os.cpu_count()} cores; bare products, rows/s: X.T @ X {square:,.0f}, X @ W {mapped:,.0f}"
    )
    with tempfile.TemporaryDirectory(prefix="sensitivenets-scale-") as name:
        folder = Path(name)
        table = make(folder, arguments.layout, n, dim)
        size = sum(p.stat().st_size for p in folder.rglob("*.parquet")) / 2**30
        print(f"{n:,} x {dim}, {arguments.layout}, {size:.2f} GiB")
        known = reference(folder, dim)
        run(folder, CLI, "key", "new", "key")
        tasks = {"reading alone": (READ, table)} | {
            what: (CLI, *command)
            for what, command in commands(table, known, arguments.layout, arguments.rounds).items()
        }
        for what, (code, *rest) in tasks.items():
            if arguments.only and not any(what.startswith(one) for one in arguments.only):
                continue
            took = run(folder, str(code), *rest)
            over = "" if took.mib < MEMORY_MIB else f" (more than {MEMORY_MIB})"
            print(
                f"{what:<40} {took.seconds:8.1f} s {n / took.seconds:12,.0f} rows/s "
                f"{took.cpu_seconds:8.1f} CPU s {took.mib:7.0f} MiB{over}",
                flush=True,
            )


if __name__ == "__main__":
    main()
