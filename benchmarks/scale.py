"""Every command on a table larger than it may hold: rows a second, and memory at its most.

    python benchmarks/scale.py [--rows 1000000] [--dim 128] [--layout one-group] [--rounds 1]

Makes a table of six groups and ten rows a subject in a temporary folder, as one Parquet file whose
rows are all in one row group ("one-group"), one file of usual row groups ("file"), or a folder of
twenty files ("parts"); runs each command in a process of its own, as a person would, and removes
all of it. Rows a second count the whole command: starting Python, reading, writing.
Memory is the most resident memory of the process, its libraries included.

Beside a command is its share of what bounds it: the product X.T @ X on rows in memory for what
fits, the slower of reading and X @ W for what maps. What the same command takes for 3 000 rows,
mostly Python and its libraries starting, is taken off. The first share is of wall time; the second,
of processor time, hardly depends on what else the machine does. Runs take turns, and of `--repeat`
of them the medians are printed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sensitivenets.embeddings import vectors_to_arrow

CHUNK = 50_000
PARTS = 20
MEMORY_MIB = 1024
FEW_ROWS = 3000
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
    mib: float = 0.0

    def less(self, other: Run) -> Run:
        """Take off what another took."""
        return Run(self.seconds - other.seconds, self.cpu_seconds - other.cpu_seconds, self.mib)

    def share_of(self, bound: Run) -> str:
        """Say how near its bound this is, by wall and by processor time."""
        wall, cpu = bound.seconds / self.seconds, bound.cpu_seconds / self.cpu_seconds
        return f"{100 * wall:4.0f} % ({100 * cpu:.0f} %)"


def median(runs: Sequence[Run]) -> Run:
    """Take the median of each number."""
    return Run(
        statistics.median(one.seconds for one in runs),
        statistics.median(one.cpu_seconds for one in runs),
        max(one.mib for one in runs),
    )


@dataclass(frozen=True)
class Verb:
    """A command, what bounds it, and the share of that which is asked for."""

    arguments: tuple[object, ...]
    bound: str | None = None
    asked: int | None = None


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


def product(n: int, dim: int, work: Callable[[np.ndarray], object]) -> Run:
    """Time a bare product on rows in memory, with all threads of BLAS, as of n rows."""
    X = np.random.default_rng(0).standard_normal((min(n, 200_000), dim), dtype=np.float32)
    work(X)
    found = []
    for _ in range(5):
        started, busy = time.perf_counter(), time.process_time()
        work(X)
        found.append(Run(time.perf_counter() - started, time.process_time() - busy))
    one = median(found)
    return Run(one.seconds * n / len(X), one.cpu_seconds * n / len(X))


SQUARE, MAPPED = "X.T @ X", "reading or X @ W"
ONE, TWO = "fit, LEACE, exact, one process", "fit, LEACE, exact, two processes"


def verbs(table: Path, layout: str, rounds: int) -> dict[str, Verb]:
    """Return the commands, in an order in which each finds what it needs."""
    out = "agnostic" if layout == "parts" else "agnostic.parquet"
    gender = ("fit", table, "--remove", "gender", "--overwrite")
    six = (*gender, "--remove", "ethnicity")
    leace = (*six, "--method", "leace", "--out", "leace")
    routed = ("--method", "routed_transport", "--set", f"n_rounds={rounds}", "--out", "routed")
    shared = ("--engine", "processes", "--workers")
    own = ("--identity", "subject", "--out", "own", "--overwrite")
    onto = ("transform", "leace", table, "--overwrite")
    return {
        "info": Verb(("info", table)),
        "fit, LEACE": Verb(leace, SQUARE, 50),
        "fit, LEACE, exact": Verb((*leace, "--set", "covariance_rows=null"), SQUARE, 45),
        ONE: Verb((
            *leace,
            "--set",
            "covariance_rows=null",
            *shared,
            "1",
        )),
        TWO: Verb((
            *leace,
            "--set",
            "covariance_rows=null",
            *shared,
            "2",
        )),
        "fit, SAL": Verb((*six, "--method", "sal", "--out", "sal"), SQUARE, 50),
        f"fit, routed transport, two groups, rounds: {rounds}": Verb((*gender, *routed), SQUARE),
        f"fit, routed transport, six groups, rounds: {rounds}": Verb((*six, *routed), SQUARE),
        "adapt": Verb(("adapt", "routed", table, "--out", "adapted", "--overwrite"), SQUARE),
        "adapt --identity": Verb(("adapt", "routed", table, *own), SQUARE),
        "transform, LEACE": Verb((*onto, "--out", out), MAPPED, 80),
        "transform, adapted": Verb(
            ("transform", "adapted", table, "--out", f"own_{out}", "--overwrite"), MAPPED
        ),
        "transform --where": Verb((*onto, "--where", "gender=Male", "--out", f"men_{out}")),
        "encode, 1 024 bits": Verb((
            "encode",
            table,
            "--key",
            "key",
            "--out",
            "codes.parquet",
            "--overwrite",
        )),
        "verify, drawn": Verb(("verify", table, "--identity", "subject")),
    }


READING = "reading alone"


def timed(folder: Path, tasks: dict[str, Verb], repeat: int) -> dict[str, Run]:
    """Run the commands in turn, again and again, and return what each took."""
    took: dict[str, list[Run]] = {what: [] for what in tasks}
    for _ in range(repeat):
        for what, verb in tasks.items():
            code = READ if what == READING else CLI
            took[what].append(run(folder, code, *verb.arguments))
            print(f"  {what}: {took[what][-1].seconds:.1f} s", file=sys.stderr)
    return {what: median(runs) for what, runs in took.items()}


def tasks_on(folder: Path, n: int, options: argparse.Namespace) -> dict[str, Verb]:
    """Make a table and a key in a folder, and return the commands on them."""
    folder.mkdir()
    table = make(folder, options.layout, n, options.dim)
    run(folder, CLI, "key", "new", "key")
    return {READING: Verb((table,))} | {
        what: verb
        for what, verb in verbs(table, options.layout, options.rounds).items()
        if not options.only or any(what.startswith(one) for one in options.only)
    }


def report(
    found: dict[str, Run], fixed: dict[str, Run], tasks: dict[str, Verb], products: dict[str, Run]
) -> None:
    """Print what each took, and its share of its bound."""
    net = {what: one.less(fixed[what]) for what, one in found.items()}
    mapped = max(net[READING], products["X @ W"], key=lambda one: one.cpu_seconds)
    bounds = {SQUARE: products["X.T @ X"], MAPPED: mapped}
    for what, one in found.items():
        over = "" if one.mib < MEMORY_MIB else f" (more than {MEMORY_MIB})"
        line = (
            f"{what:<46} {one.seconds:7.1f} s {one.cpu_seconds:7.1f} CPU s, of them fixed "
            f"{fixed[what].cpu_seconds:.1f}; {one.mib:5.0f} MiB{over}"
        )
        verb = tasks[what]
        if verb.bound is not None:
            asked = "" if verb.asked is None else f", asked {verb.asked} %"
            line += f"; {net[what].share_of(bounds[verb.bound])} of {verb.bound}{asked}"
        print(line)
    if TWO in net and ONE in net:
        faster = net[ONE].seconds / net[TWO].seconds
        print(f"two processes against one, fit of LEACE: {faster:.2f} times as fast")


def main() -> None:
    """Run every command, and say what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--layout", choices=("one-group", "file", "parts"), default="one-group")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--only", action="append", help="commands whose name begins so")
    arguments = parser.parse_args()
    n, dim = arguments.rows, arguments.dim
    W = np.random.default_rng(1).standard_normal((dim, dim), dtype=np.float32)
    products = {
        "X.T @ X": product(n, dim, lambda X: X.T @ X),
        "X @ W": product(n, dim, lambda X: X @ W),
    }
    bare = ", ".join(f"{name} {n / one.seconds:,.0f}" for name, one in products.items())
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; bare products, rows/s: {bare}")
    with tempfile.TemporaryDirectory(prefix="sensitivenets-scale-") as name:
        small, large = Path(name) / "small", Path(name) / "large"
        fixed = timed(small, tasks_on(small, FEW_ROWS, arguments), arguments.repeat)
        tasks = tasks_on(large, n, arguments)
        size = sum(p.stat().st_size for p in large.rglob("*.parquet")) / 2**30
        print(f"{n:,} x {dim}, {arguments.layout}, {size:.2f} GiB", flush=True)
        report(timed(large, tasks, arguments.repeat), fixed, tasks, products)


if __name__ == "__main__":
    main()
