"""The systems that `table_two.py` trains, each on one core of its own."""

from __future__ import annotations

import copy
import multiprocessing
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

import torch
from table_two_faces import fit_faces

from sensitivenets.erasers.neural.trained import training_device
from sensitivenets.obfuscation.classifiers import train_classifier
from sensitivenets.obfuscation.face_module import FaceModule
from sensitivenets.obfuscation.networks import ENSEMBLE, Obfuscator, PixelClassifier
from sensitivenets.obfuscation.obfuscator_folder import load_obfuscator, save_obfuscator
from sensitivenets.obfuscation.settings import ObfuscationSettings
from sensitivenets.obfuscation.training import train_obfuscator
from sensitivenets.progress import Progress

ENSEMBLE_EPOCHS = 8
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
# Together they end soonest if what takes longest begins first.
_LONGEST_FIRST = ("data_domain", "adaptive", "semi_adversarial")
_SAY_EVERY = 60.0


def say(text: str) -> None:
    """Write to standard error."""
    print(text, file=sys.stderr, flush=True)


def obfuscators(
    names: Sequence[str], seed: int, folder: Path, work: Path, n_jobs: int
) -> dict[str, Obfuscator]:
    """Train the systems that are not there yet on the fit subjects, and read all."""
    missing = [n for n in _LONGEST_FIRST if n in names and not (work / f"{n}-{seed}").exists()]
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        n_jobs, spawning, initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        ensemble: list[PixelClassifier] = []
        if any(SYSTEMS[name].method == "semi_adversarial" for name in missing):
            jobs = [pool.submit(_classifier, k, seed, folder, work) for k in range(len(ENSEMBLE))]
            ensemble = [job.result() for job in jobs]
        jobs = [
            # Tensors reach another process as shared memory, and classifiers that adapt are
            # changed: each system has its own.
            pool.submit(_system, name, seed, folder, work, copy.deepcopy(ensemble))
            for name in missing
        ]
        for job in as_completed(jobs):
            job.result()
    return {name: load_obfuscator(work / f"{name}-{seed}") for name in names}


def _classifier(number: int, seed: int, folder: Path, work: Path) -> PixelClassifier:
    """Train one of the ensemble on the fit subjects."""
    faces, start = fit_faces(folder, work), time.monotonic()
    trained = train_classifier(
        faces.pixels,
        faces.labels,
        ENSEMBLE[number],
        n_epochs=ENSEMBLE_EPOCHS,
        random_state=1000 * seed + number,
        device=training_device(None),
    )
    say(f"classifier {number + 1} of {len(ENSEMBLE)}: {time.monotonic() - start:.0f} s")
    return trained


def _system(
    name: str, seed: int, folder: Path, work: Path, ensemble: list[PixelClassifier]
) -> None:
    """Train one system on the fit subjects, and save it."""
    faces, start = fit_faces(folder, work), time.monotonic()
    settings = replace(SYSTEMS[name], random_state=seed)
    trained = train_obfuscator(
        faces,
        FaceModule(folder / "models" / "mobilefacenet.onnx"),
        settings,
        ensemble=ensemble,
        checkpoint=work / f"{name}-{seed}.checkpoint",
        device=training_device(None),
        progress=_spoken(name),
    )
    seconds = time.monotonic() - start
    facts = {"attribute": "gender", "seconds": f"{seconds:.0f}"}
    save_obfuscator(work / f"{name}-{seed}", trained, settings, facts)
    say(f"{name}, seed {seed}: {seconds:.0f} s; last epoch {trained.curve[-1]}")


def _spoken(title: str) -> Progress:
    """Tell of progress in a line a minute: bars of several processes would overwrite each other."""
    said = time.monotonic()

    def progress(done: int, total: int, what: str) -> None:
        nonlocal said
        if time.monotonic() - said >= _SAY_EVERY:
            said = time.monotonic()
            say(f"{title}: step {done} of {total}, {what}")

    return progress
