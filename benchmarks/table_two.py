"""Table II again: what obfuscated photographs of CelebA still say about gender.

Reads the folder in SENSITIVENETS_DATA. Three sets of subjects: one to fit obfuscators, pixel
classifiers to confound and maps of embeddings; one to train attackers; one to test. Everything made
is kept in a folder of yours, where an interrupted run goes on: faces, obfuscators, measurements,
and a contact sheet of real faces, which does not belong in a repository.

    python benchmarks/table_two.py --work FOLDER [--only semi_adversarial] [--seed 0]
"""

from __future__ import annotations

import argparse
import copy
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from table_two_measures import Measures, print_tables

from sensitivenets.atomic import atomic_file
from sensitivenets.embedding_files import read_table
from sensitivenets.embeddings import EmbeddingTable, FloatArray
from sensitivenets.faces.images import Image, find_images
from sensitivenets.faces.network import Description, Network
from sensitivenets.image_level.classifiers import train_classifier
from sensitivenets.image_level.contact_sheet import contact_sheet
from sensitivenets.image_level.crops import aligned_crops
from sensitivenets.image_level.face_module import FaceModule
from sensitivenets.image_level.networks import ENSEMBLE, Obfuscator, PixelClassifier
from sensitivenets.image_level.obfuscator_folder import load_obfuscator, save_obfuscator
from sensitivenets.image_level.settings import ObfuscationSettings
from sensitivenets.image_level.training import Faces, train_obfuscator
from sensitivenets.progress import progress_bar
from sensitivenets.training_device import training_device

ENSEMBLE_EPOCHS = 8
#: Shares of the subjects: to fit, and to train attackers; the rest is tested.
FIT, ATTACK = 0.45, 0.30

_IMAGES = ObfuscationSettings(n_epochs=5, reconstruction_weight=40.0)
SYSTEMS = {
    "semi_adversarial": _IMAGES,
    "adaptive": replace(_IMAGES, target="chance", adaptation=1e-3, hiding_weight=3.0),
    "data_domain": replace(
        _IMAGES,
        method="data_domain",
        reconstruction_weight=20.0,
        hiding_weight=3.0,
        matched_share=1.0,
    ),
}


@dataclass(frozen=True)
class Data:
    """Faces with their labels, and who is in which part."""

    pixels: Image
    table: EmbeddingTable
    fit: np.ndarray
    attack: np.ndarray
    test: np.ndarray


def say(text: str) -> None:
    """Write to standard error."""
    print(text, file=sys.stderr, flush=True)


def prepare(data: Path, work: Path) -> Data:
    """Cut the faces out and embed them, or read them back; split by subject."""
    path = work / "faces.npz"
    if not path.exists():
        images = find_images(data / "celeba_images")
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


def face_network(data: Path) -> Network:
    """Open the face network, on one thread."""
    return Network(data / "models" / "mobilefacenet.onnx", Description(), n_threads=1)


def embed(pixels: Image, network: Network) -> FloatArray:
    """Embed aligned faces."""
    with progress_bar("embed") as progress:
        rows = []
        for start in range(0, len(pixels), 64):
            rows.append(network(list(pixels[start : start + 64])))
            progress(min(start + 64, len(pixels)), len(pixels), "")
    return np.concatenate(rows)


def confounded(data: Data, seed: int) -> list[PixelClassifier]:
    """Train the ensemble on the fit subjects."""
    ensemble = []
    for number, reader in enumerate(ENSEMBLE):
        with progress_bar(f"classifier {number + 1} of {len(ENSEMBLE)}") as progress:
            network = train_classifier(
                data.pixels[data.fit],
                data.table.labels("gender").take(data.fit),
                reader,
                n_epochs=ENSEMBLE_EPOCHS,
                random_state=1000 * seed + number,
                device=training_device(None),
                progress=progress,
            )
        ensemble.append(network)
    return ensemble


def obfuscators(
    names: list[str], seed: int, data: Data, folder: Path, work: Path
) -> dict[str, Obfuscator]:
    """Train the systems that are not there yet on the fit subjects, and read all."""
    missing = [name for name in names if not (work / f"{name}-{seed}").exists()]
    start = time.monotonic()
    ensemble = []
    if any(SYSTEMS[name].method == "semi_adversarial" for name in missing):
        ensemble = confounded(data, seed)
        say(f"classifiers to confound: {time.monotonic() - start:.0f} s")
    labels = data.table.labels("gender").take(data.fit)
    faces = Faces(data.pixels[data.fit], data.table.vectors[data.fit], labels)
    for name in missing:
        start = time.monotonic()
        settings = replace(SYSTEMS[name], random_state=seed)
        with progress_bar(name) as progress:
            trained = train_obfuscator(
                faces,
                FaceModule(folder / "models" / "mobilefacenet.onnx"),
                settings,
                # Classifiers that adapt are changed: each system has its own.
                ensemble=copy.deepcopy(ensemble),
                checkpoint=work / f"{name}-{seed}.checkpoint",
                device=training_device(None),
                progress=progress,
            )
        seconds = time.monotonic() - start
        facts = {"attribute": "gender", "seconds": f"{seconds:.0f}"}
        save_obfuscator(work / f"{name}-{seed}", trained, settings, facts)
        say(f"{name}, seed {seed}: {seconds:.0f} s; last epoch {trained.curve[-1]}")
    return {name: load_obfuscator(work / f"{name}-{seed}") for name in names}


def main() -> None:
    """Train what is not there, measure what was not measured, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=SYSTEMS, action="append")
    parser.add_argument("--train-only", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    folder, work = Path(os.environ["SENSITIVENETS_DATA"]), arguments.work
    work.mkdir(parents=True, exist_ok=True)
    data = prepare(folder, work)
    say(f"{len(data.fit)} faces to fit, {len(data.attack)} to attack, {len(data.test)} to test")
    names = arguments.only or list(SYSTEMS)
    systems = obfuscators(names, arguments.seed, data, folder, work)
    if arguments.train_only:
        return
    held = np.concatenate([data.attack, data.test])
    table, pixels = data.table.take(held), data.pixels[held]
    measures = Measures(table, pixels, len(data.attack), arguments.seed, work)
    records = [measures.originals(), *measures.maps(data.table.take(data.fit))]
    network = face_network(folder)
    for name, system in systems.items():
        changed = system.apply_to(pixels)
        path = work / f"{name}-{arguments.seed}.npy"
        if not path.exists():
            with atomic_file(path) as temporary, temporary.open("wb") as file:
                np.save(file, embed(changed, network))
        records.append(measures.obfuscated(name, changed, np.load(path)))
        some = slice(len(data.attack), len(data.attack) + 10)
        contact_sheet(pixels[some], changed[some], work / f"{name}-{arguments.seed}.png")
    print_tables(records)


if __name__ == "__main__":
    main()
