"""Photographs a second through `embed`, beside the network alone on crops already in memory.

    SENSITIVENETS_DATA=... python benchmarks/embed.py [--images 1000] [--repeats 3]

The network alone is the bound: everything else, decoding, detection, alignment and writing, would
have to hide behind it. Medians of runs that take turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2

from sensitivenets.faces.images import find_images, read_image
from sensitivenets.faces.network import PRESETS, Network
from sensitivenets.faces.pipeline import Plan, embed

_BATCH = 32


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Print one line a way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    data = Path(os.environ["SENSITIVENETS_DATA"])
    folder = data / "celeba_images"
    images = find_images(folder)[: arguments.images]
    network = Network(data / "models" / "mobilefacenet.onnx", PRESETS["plain"])
    crops = [cv2.resize(read_image(path), (112, 112)).astype("uint8") for path in images]

    def alone() -> None:
        for start in range(0, len(crops), _BATCH):
            network(crops[start : start + _BATCH])

    def whole(detector: Path | None) -> None:
        with tempfile.TemporaryDirectory() as parts:
            embed(images, Plan(folder, detector), network, Path(parts))

    ways = {
        "network alone": alone,
        "embed --aligned": lambda: whole(None),
        "embed --detector": lambda: whole(data / "models" / "yunet.onnx"),
    }
    taken = {name: [] for name in ways}
    for _ in range(arguments.repeats):
        for name, work in ways.items():
            taken[name].append(seconds(work))
    bound = statistics.median(taken["network alone"])
    for name, times in taken.items():
        median = statistics.median(times)
        print(f"{name}: {len(images) / median:.0f} images/s, {bound / median:.2f} of the bound")


if __name__ == "__main__":
    main()
