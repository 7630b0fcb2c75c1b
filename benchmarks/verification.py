"""All pairs of a table of LFW's size: time against the matrix products it must contain.

    python benchmarks/verification.py [--rows 13233] [--dim 128] [--repeats 5] [--jobs 1]

Every score of the upper triangle must be computed, so the bare products of the same blocks are
the floor. Product and measurement alternate in one run; medians are printed. The vectors are
random unit rows; a few subjects have hundreds of rows, most have one, as in LFW.
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from sensitivenets.embeddings import Labels, encode
from sensitivenets.verification import verify_all_pairs
from sensitivenets.verification.score_histograms import count_scores
from sensitivenets.verification.subject_rows import SubjectRows

BLOCK_ROWS, BLOCK_COLUMNS = 256, 2048


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Time of verify_all_pairs")
    parser.add_argument("--rows", type=int, default=13_233)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    vectors, subject = table(options.rows, options.dim)
    n_pairs = options.rows * (options.rows - 1) // 2
    print(f"{options.rows} rows x {options.dim}, {n_pairs:,} pairs, {options.jobs} thread(s)")

    def measure(n_bootstrap: int) -> None:
        verify_all_pairs(vectors, subject, n_bootstrap=n_bootstrap, n_jobs=options.jobs)

    tasks: dict[str, Callable[[], object]] = {
        "bare products": lambda: bare_products(vectors),
        "counting all scores": lambda: count_scores(
            SubjectRows.of(vectors, subject.codes), memory_limit=2**30, n_jobs=options.jobs
        ),
        "rates of all pairs": lambda: measure(0),
        "and 500 draws of subjects": lambda: measure(500),
    }
    for task in tasks.values():
        task()
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(options.repeats):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            seconds[name].append(time.perf_counter() - start)
    for name, times in seconds.items():
        median = statistics.median(times)
        ratio = statistics.median(
            a / b for a, b in zip(times, seconds["bare products"], strict=True)
        )
        print(
            f"  {name:<26} {median:6.2f} s, {1e9 * median / n_pairs:5.1f} ns a pair, "
            f"{ratio:5.2f} x the products"
        )
    tracemalloc.start()
    measure(500)
    peak = tracemalloc.get_traced_memory()[1]
    print(
        f"  peak memory beside the input: {peak / 2**20:.0f} MiB "
        f"(the input {vectors.nbytes / 2**20:.0f} MiB, the whole score matrix "
        f"{4 * options.rows**2 / 2**20:.0f} MiB)"
    )


def table(n_rows: int, dim: int) -> tuple[np.ndarray, Labels]:
    """Random unit rows around subjects: 530 rows, then ever fewer, half of the rows alone."""
    rng = np.random.default_rng(0)
    sizes = np.ceil(530 / np.arange(1, n_rows) ** 0.85).astype(int)
    sizes = sizes[np.cumsum(sizes) <= n_rows // 2]
    sizes = np.concatenate([sizes, np.ones(n_rows - sizes.sum(), dtype=int)])
    subject = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = rng.standard_normal((subject.max() + 1, dim)).astype(np.float32)
    vectors = centres[subject] + rng.standard_normal((n_rows, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, encode("subject", subject)


def bare_products(vectors: np.ndarray) -> None:
    """Compute the blocks of the upper triangle of ``vectors @ vectors.T``, and drop them."""
    for first in range(0, len(vectors), BLOCK_ROWS):
        left = vectors[first : first + BLOCK_ROWS]
        for start in range(first, len(vectors), BLOCK_COLUMNS):
            left @ vectors[start : start + BLOCK_COLUMNS].T


if __name__ == "__main__":
    main()
