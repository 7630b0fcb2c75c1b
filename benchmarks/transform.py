"""Speed of transform against the bare X @ W and norm on the same arrays.

python benchmarks/transform.py [--repeat 9]
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from sensitivenets.maps.projection import Projection

CASES = ((200_000, 128, 1024), (100_000, 512, 1024), (50_000, 2048, 1024))


def bare(X: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Multiply and normalise as anyone would."""
    Z = X @ weight
    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
    return Z


def seconds(work: Callable[[], np.ndarray]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def extra_memory(projection: Projection, X: np.ndarray) -> int:
    """Count the bytes a call allocates beside its input and output, at their peak."""
    out = np.empty((len(X), projection.n_features_out), dtype=X.dtype)
    tracemalloc.start()
    projection(X, out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def compare(n: int, d: int, k: int, repeat: int) -> None:
    """Print medians of runs in turn, and the memory beside input and output."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d), dtype=np.float32)
    projection = Projection(rng.standard_normal((d, k), dtype=np.float32))
    pairs = np.array([
        (seconds(lambda: projection(X)), seconds(lambda: bare(X, projection.weight)))
        for _ in range(repeat)
    ])
    ours, theirs = np.median(pairs, axis=0)
    ratio = np.median(pairs[:, 1] / pairs[:, 0])
    print(
        f"{n:6} x {d:4} -> {k}: {n / ours:7.0f} rows/s, bare {n / theirs:7.0f} rows/s, "
        f"{100 * ratio:3.0f} % of bare; {extra_memory(projection, X) / 1024:.0f} KiB extra memory"
    )


def main() -> None:
    """Compare on three shapes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=9)
    arguments = parser.parse_args()
    for case in CASES:
        compare(*case, arguments.repeat)


if __name__ == "__main__":
    main()
