"""The faces of `table_two.py`: cut out and embedded once, split by subject."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sensitivenets.atomic import atomic_file
from sensitivenets.embeddings import EmbeddingTable, FloatArray, read_table
from sensitivenets.faces.images import Image
from sensitivenets.faces.network import Description, FaceNetwork
from sensitivenets.faces.photographs import find_photographs
from sensitivenets.obfuscation.crops import aligned_crops
from sensitivenets.obfuscation.training import Faces
from sensitivenets.progress import progress_bar

#: Shares of the subjects: to fit, and to train attackers; the rest is tested.
FIT, ATTACK = 0.45, 0.30


@dataclass(frozen=True)
class Data:
    """Faces with their labels, and who is in which part."""

    pixels: Image
    table: EmbeddingTable
    fit: np.ndarray
    attack: np.ndarray
    test: np.ndarray


def prepare(data: Path, work: Path) -> Data:
    """Cut the faces out and embed them, or read them back; split by subject."""
    path = work / "faces.npz"
    if not path.exists():
        images = find_photographs(data / "celeba_images").images
        with progress_bar("faces") as progress:
            crops = aligned_crops(images, data / "models" / "yunet.onnx", progress=progress)
        numbers = np.array([int(images[row].stem) for row in crops.rows])
        network = face_network(data)
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            embeddings = embed(crops.pixels, network)
            np.savez(file, pixels=crops.pixels, numbers=numbers, embeddings=embeddings)
    with np.load(path) as found:
        pixels, numbers, embeddings = found["pixels"], found["numbers"], found["embeddings"]
    table = read_table(data / "celeba.parquet")
    row_of = {int(n): row for row, n in enumerate(table.column("image").to_pylist())}
    table = table.take(np.array([row_of[int(n)] for n in numbers])).with_vectors(embeddings)
    subject = np.array(table.column("subject").to_pylist())
    everyone = np.random.default_rng(0).permutation(np.unique(subject))
    first, second = int(FIT * len(everyone)), int((FIT + ATTACK) * len(everyone))
    parts = (everyone[:first], everyone[first:second], everyone[second:])
    return Data(pixels, table, *(np.flatnonzero(np.isin(subject, part)) for part in parts))


def fit_faces(data: Path, work: Path) -> Faces:
    """Read what obfuscators, and the classifiers to confound, are trained on."""
    found = prepare(data, work)
    labels = found.table.labels("gender").take(found.fit)
    return Faces(found.pixels[found.fit], found.table.vectors[found.fit], labels)


def face_network(data: Path) -> FaceNetwork:
    """Open the face network, on one thread."""
    return FaceNetwork(data / "models" / "mobilefacenet.onnx", Description(), n_threads=1)


def embed(pixels: Image, network: FaceNetwork) -> FloatArray:
    """Embed aligned faces."""
    batches = [list(pixels[start : start + 64]) for start in range(0, len(pixels), 64)]
    with progress_bar("embed") as progress, ThreadPoolExecutor(os.cpu_count()) as threads:
        rows = []
        for some in threads.map(network, batches):
            rows.append(some)
            progress(len(rows), len(batches), "")
    return np.concatenate(rows)
