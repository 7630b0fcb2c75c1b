"""Speed of closed-form erasers: a pass over Parquet, LEACE against concept-erasure, transport.

    python benchmarks/erasers.py [--rows 1000000] [--dim 512] [--memory-rows 200000] [--repeat 3]

Part 1 writes a table of float32 embeddings with a gender to a temporary folder and fits from the
file; the measure is `X.T @ X` of numpy (one symmetric product) on the same rows in memory, all of
them at once. "exact" takes the covariance of LEACE from all rows, as that product does; "auto" from
32 rows a feature (class means are always of all rows); SAL needs no covariance.
Part 2 fits and applies LEACE and concept-erasure 0.2.4 on the same rows in memory, in turn. `fit`
is the estimator's: input checks and SHA-256 of all rows, which concept-erasure has not;
"moments and map" is what both do. The size of the edit and what is left of the
class means stand beside the times, since "auto" and concept-erasure do not compute the same
covariance.
Part 3 fits routed transport to six groups of drawn rows and applies it: three full rounds, and
five within 64 directions, beside the bare product `X @ W` of a d x d matrix.
Part 4 applies universal codes of 2 048 bits and coded transport, beside the bare product of their
directions, at 128 features and at --dim.
Part 5 applies other fitted maps: give model folders with --model.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from sensitivenets.embeddings import vectors_to_arrow
from sensitivenets.embeddings.source import open_table
from sensitivenets.erasers.fit_table import fit_table
from sensitivenets.erasers.linear.leace import LEACE, leace
from sensitivenets.erasers.linear.sal import SAL
from sensitivenets.erasers.moments.attribute import AttributeMoments
from sensitivenets.erasers.moments.group import GroupMomentStream
from sensitivenets.erasers.moments.pooled import PooledMomentStream
from sensitivenets.erasers.transport.coded_transport import CodedTransport
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.maps.model_folder import load_model

CHUNK = 50_000
# Rows that transport is fitted on: its speed does not depend on them.
FIT_ROWS = 20_000
BITS = 2048
TARGET_SPEED, TARGET_RATIO, TARGET_RATE = 0.5, 5.0, 100_000


def chunk(start: int, n: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows that a gender shifts by one standard deviation in a few features."""
    rng = np.random.default_rng(start)
    gender = rng.integers(2, size=n)
    X = rng.standard_normal((n, dim), dtype=np.float32) + np.float32(0.3)
    X[:, :8] += gender[:, None].astype(np.float32)
    return X, gender


def rows(n: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw all chunks into one matrix."""
    X, gender = np.empty((n, dim), dtype=np.float32), np.empty(n, dtype=np.int64)
    for start in range(0, n, CHUNK):
        part = slice(start, min(start + CHUNK, n))
        X[part], gender[part] = chunk(start, part.stop - start, dim)
    return X, gender


def write(path: Path, n: int, dim: int) -> None:
    """Write the same rows as Parquet, with the settings of `write_table`, chunk by chunk."""
    vectors = pa.field("embedding", vectors_to_arrow(np.empty((0, dim))).type, nullable=False)
    schema = pa.schema([vectors, ("gender", pa.int64())])
    options: dict[str, Any] = {
        "use_dictionary": ["gender"],
        "compression": {"embedding.list.element": "none", "gender": "zstd"},
        "write_statistics": ["gender"],
        "write_page_checksum": True,
    }
    with pq.ParquetWriter(path, schema, **options) as writer:
        for start in range(0, n, CHUNK):
            X, gender = chunk(start, min(CHUNK, n - start), dim)
            columns = [vectors_to_arrow(X), pa.array(gender)]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def in_turn(
    tasks: dict[str, Callable[[], object]], repeat: int, *, warm: bool = False
) -> dict[str, list[float]]:
    """Time the tasks one after the other, so that drift of the machine hits all alike.

    `warm` runs a task once more before it is timed: short ones are otherwise timed with the
    memory that the task before has given back.
    """
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeat):
        for name, work in tasks.items():
            if warm:
                work()
            times[name].append(seconds(work))
    return times


def report(times: dict[str, list[float]], n: int, base: str, target: float | None = None) -> None:
    """Print medians, rates and the median ratio to `base`; above one is faster than it."""
    for name, mine in times.items():
        median = statistics.median(mine)
        ratio = statistics.median(b / m for b, m in zip(times[base], mine, strict=True))
        wanted = f" (target {target:g})" if target is not None and name != base else ""
        print(f"  {name:<44} {median:7.2f} s {n / median:12,.0f} rows/s {ratio:6.2f} x{wanted}")


def grouped(path: Path) -> None:
    """Covariance of each group, in one pass; a core is left to reading, as `fit_table` does."""
    stream = GroupMomentStream(2)
    with threadpool_limits(max(1, (os.cpu_count() or 1) - 1), user_api="blas"):
        for block in open_table(path).blocks(["gender"]):
            stream.update(block.vectors, block.columns["gender"].to_numpy())
    stream.moments()


def read(path: Path) -> None:
    """Read and check, no more."""
    for _ in open_table(path).blocks(["gender"]):
        pass


def streaming(n: int, dim: int, repeat: int) -> None:
    """Part 1."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        write(path, n, dim)
        print(f"\nFrom Parquet, {n:,} x {dim} ({path.stat().st_size / 2**30:.2f} GiB), one pass")
        fits = {
            "LEACE exact": LEACE(covariance_rows=None, random_state=0),
            "LEACE auto": LEACE(random_state=0),
            "SAL": SAL(),
        }
        for eraser in fits.values():
            fit_table(eraser, path, sensitive=["gender"])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"  peak memory, libraries and writing included: {peak:.0f} MiB")
        X, _ = rows(n, dim)
        tasks: dict[str, Callable[[], object]] = {"X.T @ X in memory": lambda: X.T @ X}
        for name, eraser in fits.items():
            tasks[f"fit_table, {name}"] = lambda eraser=eraser: fit_table(
                eraser, path, sensitive=["gender"]
            )
        tasks["covariance of each of two groups"] = lambda: grouped(path)
        one = RoutedTransport(n_rounds=1, random_state=0)
        tasks["routed transport, a round in three passes"] = lambda: fit_table(
            one, path, sensitive=["gender"]
        )
        tasks["reading alone"] = lambda: read(path)
        report(in_turn(tasks, repeat), n, "X.T @ X in memory", TARGET_SPEED)


def against_concept_erasure(n: int, dim: int, repeat: int) -> None:
    """Part 2."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch.jit.script, at import
        from concept_erasure import LeaceFitter

    X, gender = rows(n, dim)
    X_torch, Z_torch = torch.from_numpy(X), torch.from_numpy(gender.astype(np.float32))[:, None]
    fitted: dict[str, Any] = {}

    def theirs() -> None:
        fitted["concept-erasure"] = LeaceFitter.fit(X_torch, Z_torch).eraser

    def ours(name: str, covariance_rows: Any) -> None:
        eraser = LEACE(covariance_rows=covariance_rows, random_state=0)
        fitted[name] = eraser.fit(X, sensitive={"gender": gender})

    def ours_bare(covariance_rows: int | None) -> None:
        stream = PooledMomentStream(1, covariance_rows=covariance_rows, expected_rows=n)
        pooled = stream.update(X, [gender]).moments()
        leace(AttributeMoments(pooled, {"gender": pooled.groupings[0]}, None))

    print(f"\nLEACE in memory, {n:,} x {dim}, against concept-erasure 0.2.4")
    tasks: dict[str, Callable[[], object]] = {
        "concept-erasure": theirs,
        "LEACE auto": lambda: ours("LEACE auto", "auto"),
        "LEACE exact": lambda: ours("LEACE exact", None),
        "moments and map, LEACE auto": lambda: ours_bare(32 * dim),
        "moments and map, LEACE exact": lambda: ours_bare(None),
    }
    print(" fit")
    report(in_turn(tasks, repeat), n, "concept-erasure", TARGET_RATIO)
    apply: dict[str, Callable[[], Any]] = {
        "concept-erasure": lambda: fitted["concept-erasure"](X_torch),
        "transform": lambda: fitted["LEACE auto"].transform(X),
        "the map alone": lambda: fitted["LEACE auto"].model_.map(X),
    }
    out = np.empty_like(X)
    apply["the map alone, into an array"] = lambda: fitted["LEACE auto"].model_.map(X, out)
    print(" apply")
    report(in_turn(apply, repeat, warm=True), n, "concept-erasure", TARGET_RATIO)
    print(" what is left")
    for name, eraser in fitted.items():
        hidden = eraser(X_torch).numpy() if name == "concept-erasure" else eraser.transform(X)
        means = [hidden[gender == g].mean(axis=0, dtype=np.float64) for g in (0, 1)]
        edit = np.mean(np.sum(np.square(hidden - X), axis=1, dtype=np.float64))
        gap = np.linalg.norm(means[1] - means[0])
        print(f"  {name:<44} gap of the class means {gap:.1e}, mean squared edit {edit:.4f}")


def six_groups(n: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows of a gender and one of three ethnicities."""
    X, gender = rows(n, dim)
    return X, gender + 2 * np.random.default_rng(0).integers(3, size=n)


def transport(n: int, dim: int, repeat: int) -> None:
    """Part 3."""
    X, groups = six_groups(n, dim)
    W = np.random.default_rng(1).standard_normal((dim, dim), dtype=np.float32)
    tasks: dict[str, Callable[[], object]] = {"X @ W": lambda: X @ W}
    for name, settings in (("three rounds", {}), ("five of rank 64", {"n_rounds": 5, "rank": 64})):
        eraser = RoutedTransport(random_state=0, **settings)
        eraser.fit(X[:FIT_ROWS], sensitive={"group": groups[:FIT_ROWS]})
        tasks[f"routed transport, {name}"] = lambda phi=eraser.model_.map: phi(X)
    print(f"\nRouted transport of six groups, {n:,} x {dim} (target {TARGET_RATE:,} rows/s)")
    report(in_turn(tasks, repeat), n, "X @ W")


def codes(n: int, dim: int, repeat: int) -> None:
    """Part 4."""
    X, groups = six_groups(n, dim)
    eraser = CodedTransport(n_bits=BITS, random_state=0)
    eraser.fit(X[:FIT_ROWS], sensitive={"group": groups[:FIT_ROWS]})
    coded = eraser.model_.map
    code = coded.parts[-1]
    tasks: dict[str, Callable[[], object]] = {
        "X @ directions": lambda: X @ code.directions,
        "universal code": lambda: code(X),
        "universal code, packed": lambda: code.pack(X),
        "coded transport, three rounds": lambda: coded(X),
    }
    print(f"\nCodes of {BITS} bits, {n:,} x {dim}")
    report(in_turn(tasks, repeat, warm=True), n, "X @ directions")


def apply_models(models: list[Path], n: int, repeat: int) -> None:
    """Part 5."""
    for path in models:
        model = load_model(path)
        X, _ = rows(n, model.map.n_features_in)
        times = in_turn({model.method: lambda model=model, X=X: model.map(X)}, repeat)
        rate = n / statistics.median(times[model.method])
        print(f"  {path}: {model.method} {rate:,.0f} rows/s (target {TARGET_RATE:,})")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--memory-rows", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--model", type=Path, action="append", default=[])
    options = parser.parse_args()
    threads = max(info["num_threads"] for info in threadpool_info())
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, {threads} BLAS threads, load of the machine {load:.1f}")
    streaming(options.rows, options.dim, options.repeat)
    against_concept_erasure(options.memory_rows, options.dim, options.repeat)
    transport(options.memory_rows, options.dim, options.repeat)
    for dim in (128, options.dim):
        codes(options.memory_rows // 4, dim, options.repeat)
    if options.model:
        print("\nApplying fitted maps")
        apply_models(options.model, options.memory_rows, options.repeat)


if __name__ == "__main__":
    main()
