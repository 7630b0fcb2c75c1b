"""What adapting to a table of unlabelled rows costs: passes, time and memory, from Parquet.

    OMP_NUM_THREADS=2 python benchmarks/adapt.py [--rows 1000000] [--dim 128] [--photographs 3]

Writes a table of six drawn groups to a temporary folder, without labels but for who each row
shows, and adapts a model of 20 000 other rows of them, without and with identities. Beside it:
reading the file as often and no more, and the products that adapting must make on rows in memory
(each row by the whitening of each group for a step, and the products of moments for a step). Peak
memory is that of this process, libraries included, which never holds the table.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sensitivenets.embeddings.parquet_blocks import parquet_blocks

from sensitivenets.embeddings import vectors_to_arrow
from sensitivenets.erasers.fit_table import adapt_table
from sensitivenets.erasers.transport.routed_transport import RoutedTransport

GROUPS, KNOWN, CHUNK = 6, 20_000, 50_000
MOST_PASSES = 12


def drawn(n: int, dim: int, photographs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw unit rows and the group of each; so many rows in turn show one person."""
    fixed, rng = np.random.default_rng(0), np.random.default_rng(seed)
    means = 0.6 * fixed.standard_normal((GROUPS, dim))
    roots = np.eye(dim) + 0.05 * fixed.standard_normal((GROUPS, dim, dim))
    people = -(-n // photographs)
    groups = rng.integers(GROUPS, size=people)
    who = rng.standard_normal((people, dim))
    for g in range(GROUPS):
        who[groups == g] = means[g] + who[groups == g] @ roots[g]
    X = np.repeat(who, photographs, axis=0)[:n] + 0.4 * rng.standard_normal((n, dim))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    return X.astype(np.float32), np.repeat(groups, photographs)[:n]


def write(path: Path, n: int, dim: int, photographs: int) -> None:
    """Write the table chunk by chunk, moved from where the model's rows are."""
    first = vectors_to_arrow(np.empty((0, dim), dtype=np.float32))
    schema = pa.schema([pa.field("embedding", first.type, nullable=False), ("subject", pa.int64())])
    with pq.ParquetWriter(path, schema, compression="none", write_statistics=False) as writer:
        for start in range(0, n, CHUNK):
            X, _ = drawn(min(CHUNK, n - start), dim, photographs, 1 + start)
            X[:, 0] += 0.05
            X /= np.linalg.norm(X, axis=1, keepdims=True)
            subject = (start + np.arange(len(X))) // photographs
            columns = [vectors_to_arrow(X), pa.array(subject)]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def read(path: Path, passes: int) -> None:
    """Read and check, no more."""
    for _ in range(passes):
        for _ in parquet_blocks(path):
            pass


def products(n: int, dim: int, steps: int) -> Callable[[], None]:
    """Return the products of so many steps on so many rows, the same block again and again."""
    X = np.random.default_rng(0).standard_normal((8192, dim), dtype=np.float32)
    W = np.random.default_rng(1).standard_normal((GROUPS, dim, dim), dtype=np.float32)

    def work() -> None:
        for _ in range(steps * -(-n // len(X))):
            for whitening in W:
                X @ whitening
            X.T @ X

    return work


def adapting(model: RoutedTransport, path: Path, n: int, dim: int, identity: str | None) -> None:
    """Adapt, and print what it cost beside what it must."""
    passes = 0

    def count(done: int, total: int, _: str) -> None:
        nonlocal passes
        passes += done == total

    found = []
    spent = seconds(
        lambda: found.append(adapt_table(model, path, identity=identity, progress=count))
    )
    steps = 1 + len(found[0].adapted.moved)
    reading, bare = seconds(lambda: read(path, passes)), seconds(products(n, dim, steps))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{'with' if identity else 'without'} identities: {steps} steps, {passes} passes (most "
        f"{MOST_PASSES}), {spent:.1f} s; reading as often {reading:.1f} s, products {bare:.1f} s, "
        f"{spent / (reading + bare):.2f} of both; peak memory so far {peak:.0f} MiB",
        flush=True,
    )


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--photographs", type=int, default=3, help="rows that show one person")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.write is not None:
        write(given.write, given.rows, given.dim, given.photographs)
        return
    X, groups = drawn(KNOWN, given.dim, 1, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = RoutedTransport(n_rounds=1, random_state=0).fit(X, sensitive={"group": groups})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of libraries and the model's rows: {peak:.0f} MiB")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        # Another process draws the rows: this one's memory is that of adapting.
        subprocess.run([sys.executable, *sys.argv, "--write", str(path)], check=True)
        size = path.stat().st_size / 2**30
        print(f"{given.rows:,} x {given.dim} ({size:.2f} GiB), {GROUPS} groups", flush=True)
        for identity in (None, "subject"):
            adapting(model, path, given.rows, given.dim, identity)


if __name__ == "__main__":
    main()
