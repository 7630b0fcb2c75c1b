"""Torch on a device against what the device can do, and against numpy on this machine.

    python benchmarks/gpu.py [--device cuda] [--rows 200000] [--dim 512] [--repeat 9]

The roofs are measured first, on the same device: a copy of as many rows, in bytes read and written,
and a product of large matrices in single precision. A line for each kind of work then says what it
reaches with rows that are on the device already, and which share that is of the least time the
roofs allow; and rows a second from array to array, sending included, beside numpy's. Times are
medians. The last column is the share of the numbers that differ from numpy's by more than 1e-4: a
row on the border of two groups may take the other side.

With `--device cpu` it runs anywhere and says nothing of a card.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sensitivenets.audit.attackers.on_device import KernelsOnDevice, squares
from sensitivenets.audit.attackers.smooth_functions import IN_NUMPY
from sensitivenets.embeddings.rows import normalise_rows
from sensitivenets.erasers.moments.group import scatter
from sensitivenets.maps.affine import Affine, LowRankEdit
from sensitivenets.maps.base import FittedMap
from sensitivenets.maps.chain import Chain
from sensitivenets.maps.on_device import OnDevice, products_on
from sensitivenets.maps.routed import GroupTransport, RoutedMap, Router

GROUPS, ROUNDS, DIRECTIONS = 6, 3, 5
# Rows of a kernel matrix, as an audit makes them at once.
KERNEL_ROWS = 6000


@dataclass(frozen=True)
class Work:
    """A product: on tensors that are there, on arrays there and in numpy, and what it must do."""

    name: str
    there: Callable[[torch.Tensor], torch.Tensor]
    from_array: Callable[[np.ndarray], np.ndarray]
    in_numpy: Callable[[np.ndarray], np.ndarray]
    flops: float
    numbers: float
    rows: int


def seconds(work: Callable[[], Any], repeat: int) -> float:
    """Median wall time of a call, after one that is not counted."""
    took = []
    for _ in range(repeat + 1):
        started = time.perf_counter()
        made = work()
        if isinstance(made, torch.Tensor):
            # Whoever asks for a number waits until it is there.
            made.flatten()[:1].cpu()
        took.append(time.perf_counter() - started)
    return statistics.median(took[1:])


def drawn_rows(rows: int, dim: int) -> np.ndarray:
    """Draw unit rows of groups that a router tells apart."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, dim), dtype=np.float32)
    X += 3 * np.eye(GROUPS, dim, dtype=np.float32)[np.arange(rows) % GROUPS]
    normalise_rows(X)
    return X


def routed(dim: int) -> RoutedMap:
    """Make a round of routed transport whose maps move rows a little."""
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((2, GROUPS, dim, dim)).astype(np.float32) / (10 * dim)
    eye = np.eye(dim, dtype=np.float32)
    means = 0.1 * np.eye(GROUPS, dim, dtype=np.float32)
    router = Router(means, np.triu(dim**0.5 * (eye + noise[0])), np.zeros(GROUPS, np.float32))
    matrices = eye + noise[1] + noise[1].transpose(0, 2, 1)
    return RoutedMap(router, (GroupTransport(matrices, np.zeros_like(means)),))


def kinds_of_work(on: OnDevice, rows: int, dim: int) -> list[Work]:
    """List what is measured, with the operations and the numbers that it cannot do without."""
    rng = np.random.default_rng(2)
    read, write = (rng.standard_normal((dim, DIRECTIONS)).astype(np.float32) for _ in range(2))
    edit = LowRankEdit(read / 10, np.zeros(DIRECTIONS, np.float32), (write / 10).T.copy())
    one = routed(dim)
    router = on.router(one.router)
    square, row_by_row = 2.0 * rows * dim * dim, 2.0 * rows * dim

    def mapped(name: str, phi: FittedMap, flops: float) -> Work:
        (there,) = on.maps([phi])
        return Work(name, there.form, there, phi, flops, row_by_row, rows)

    return [
        mapped("affine", Affine(np.eye(dim, dtype=np.float32), np.zeros(dim, np.float32)), square),
        mapped("LEACE's edit", edit, 2 * DIRECTIONS * row_by_row),
        mapped("routed, 3 rounds", Chain((one,) * ROUNDS), ROUNDS * (GROUPS + 1) * square),
        Work(
            "scores",
            router.form,
            router.scores,
            one.router.scores,
            GROUPS * square,
            rows * dim,
            rows,
        ),
        Work(
            "moments",
            lambda x: x.T @ x,
            lambda X: on.scatter(X, np.empty(0)),
            lambda X: scatter(X, np.empty((dim, dim), np.float32)),
            square,
            rows * dim,
            rows,
        ),
        kernel_matrix(on, min(rows, KERNEL_ROWS), dim),
    ]


def kernel_matrix(on: OnDevice, rows: int, dim: int) -> Work:
    """Make the Gaussian kernel of some rows with themselves: written once, and sent back."""
    kernels = KernelsOnDevice(on.device)
    return Work(
        "kernel matrix",
        lambda x: squares(x, x).neg_().exp_(),
        lambda X: kernels.gaussian(X, X, 1.0),
        lambda X: IN_NUMPY.gaussian(X, X, 1.0),
        2.0 * rows * rows * dim,
        rows * rows + 2.0 * rows * dim,
        rows,
    )


@dataclass(frozen=True)
class Roofs:
    """Bytes and operations a second that the device reaches at its best."""

    copied: float
    multiplied: float


def measured_roofs(x: torch.Tensor, side: int, repeat: int) -> Roofs:
    """Measure them where the rows are."""
    target = torch.empty_like(x)
    matrix = torch.ones(side, side, device=x.device)
    copied = seconds(lambda: target.copy_(x), repeat)
    multiplied = seconds(lambda: matrix @ matrix, repeat)
    return Roofs(2 * x.nbytes / copied, 2 * side**3 / multiplied)


def line(work: Work, roofs: Roofs, X: np.ndarray, x: torch.Tensor, repeat: int) -> str:
    """Measure one kind of work, and say what it reached."""
    X, x = X[: work.rows], x[: work.rows]
    took = seconds(lambda: work.there(x), repeat)
    least = max(work.flops / roofs.multiplied, 4 * work.numbers / roofs.copied)
    from_array = seconds(lambda: work.from_array(X), repeat)
    in_numpy = seconds(lambda: work.in_numpy(X), min(repeat, 3))
    off = np.mean(np.abs(work.from_array(X) - work.in_numpy(X)) > 1e-4)
    return (
        f"{work.name:18} {work.flops / took / 1e9:8.0f} {4 * work.numbers / took / 1e9:7.1f} "
        f"{100 * least / took:6.0f} % {len(X) / from_array:11.0f} {len(X) / in_numpy:11.0f} "
        f"{off:8.1e}"
    )


def main() -> None:
    """Measure the roofs, then the work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--side", type=int, default=8192, help="of the matrices of the roof")
    parser.add_argument("--repeat", type=int, default=9)
    asked = parser.parse_args()
    on = products_on(asked.device)
    X = drawn_rows(asked.rows, asked.dim)
    x = on.put(X)
    roofs = measured_roofs(x, asked.side, asked.repeat)
    card = torch.cuda.get_device_name(on.device) if on.device.type == "cuda" else "no card"
    print(f"{asked.device} ({card}), torch {torch.__version__}, {asked.rows} x {asked.dim}")
    print(f"copy {roofs.copied / 1e9:.1f} GB/s, product {roofs.multiplied / 1e9:.0f} GFLOP/s")
    print(
        f"{'':18} {'GFLOP/s':>8} {'GB/s':>7} {'of roof':>8} {'rows/s':>11} {'numpy':>11} {'off':>8}"
    )
    for work in kinds_of_work(on, asked.rows, asked.dim):
        print(line(work, roofs, X, x, asked.repeat))


if __name__ == "__main__":
    main()
