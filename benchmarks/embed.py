"""Photographs a second through `embed`, beside onnxruntime alone on crops already in memory.

    SENSITIVENETS_DATA=... python benchmarks/embed.py [--images 1000] [--repeats 3]
    SENSITIVENETS_DATA=... python benchmarks/embed.py --folder faces

onnxruntime alone is the bound, in two ways: with the threads it makes itself, and with a batch a
thread, as `embed` runs it. Runs take turns. Wall time is the median; processor time, which other
work on the machine disturbs less, the least of the repeats.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2

from sensitivenets.faces.embedder import BATCH, EmbeddingPlan
from sensitivenets.faces.images import read_image
from sensitivenets.faces.network import PRESETS, FaceNetwork
from sensitivenets.faces.photographs import find_photographs
from sensitivenets.faces.pipeline import embed

OWN_THREADS, A_BATCH_A_THREAD = "onnxruntime, its own threads", "onnxruntime, a batch a thread"


def ways(data: Path, images: list[Path], folder: Path) -> dict[str, Callable[[], None]]:
    """Make what is timed, each from an empty start."""
    model, yunet = data / "models" / "mobilefacenet.onnx", data / "models" / "yunet.onnx"
    whole, narrow = (FaceNetwork(model, PRESETS["plain"], n_threads=n) for n in (None, 1))
    crops = [cv2.resize(read_image(path), (112, 112)).astype("uint8") for path in images]

    def own_threads() -> None:
        for start in range(0, len(crops), 32):
            whole(crops[start : start + 32])

    def a_batch_a_thread() -> None:
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            batches = [crops[k : k + BATCH] for k in range(0, len(crops), BATCH)]
            for _ in threads.map(narrow, batches):
                pass

    def all_of_it(detector: Path | None) -> None:
        with tempfile.TemporaryDirectory() as parts:
            embed(images, EmbeddingPlan(folder, detector), narrow, Path(parts))

    return {
        OWN_THREADS: own_threads,
        A_BATCH_A_THREAD: a_batch_a_thread,
        "embed --aligned": lambda: all_of_it(None),
        "embed --detector": lambda: all_of_it(yunet),
    }


def main() -> None:
    """Print one line a way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", default="celeba_images")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    data = Path(os.environ["SENSITIVENETS_DATA"])
    folder = data / arguments.folder
    images = find_photographs(folder).images[: arguments.images]
    wall, processor = {}, {}
    timed = ways(data, images, folder)
    for _ in range(arguments.repeats):
        for name, work in timed.items():
            begun = time.perf_counter(), time.process_time()
            work()
            wall.setdefault(name, []).append(time.perf_counter() - begun[0])
            processor.setdefault(name, []).append(time.process_time() - begun[1])
    for name in timed:
        seconds, busy = statistics.median(wall[name]), min(processor[name])
        shares = " and ".join(
            f"{statistics.median(wall[bound]) / seconds:.2f} ({min(processor[bound]) / busy:.2f})"
            for bound in (OWN_THREADS, A_BATCH_A_THREAD)
        )
        milliseconds = 1000 * busy / len(images)
        print(
            f"{name}: {len(images) / seconds:.0f} images/s, {milliseconds:.1f} ms of processor "
            f"each; of the bounds, by wall (processor) time: {shares}"
        )


if __name__ == "__main__":
    main()
