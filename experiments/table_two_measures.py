"""What `table_two.py` measures of each representation, and how it prints it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from sensitivenets.atomic import atomic_file
from sensitivenets.embeddings import EmbeddingTable, FloatArray
from sensitivenets.erasers.neural.trained import training_device
from sensitivenets.erasers.transport.coded_transport import CodedTransport
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.faces.images import Image
from sensitivenets.intervals import Estimate
from sensitivenets.obfuscation.classifiers import train_classifier
from sensitivenets.obfuscation.leakage import Sides, read_from_embeddings, read_from_pixels
from sensitivenets.obfuscation.networks import ATTACKER, PixelClassifier
from sensitivenets.progress import progress_bar
from sensitivenets.sensitivenet.estimator import SensitiveNet
from sensitivenets.verification import Pairs, verify
from sensitivenets.verification.drawn_pairs import draw_pairs

ATTACKER_EPOCHS = 12
N_PAIRS = 3000
FMR = 1e-2
PAPER = {
    "originals": (99.5, 98.4, 98.5),
    "obfuscated [9]": (99.3, 98.3, 98.5),
    "SensitiveNet": (65.7, 67.3, 65.2),
}
Record = dict[str, Any]


class Measures:
    """Attackers and pairs of the held-out faces: training rows first, then test rows.

    Parameters
    ----------
    held : EmbeddingTable
        Faces as they are.
    pixels : ndarray of shape (n, side, side, 3)
        The same faces.
    n_train : int
        How many of them train attackers.
    seed : int
        Decides everything random.
    work : Path
        Folder in which each record is kept.
    """

    def __init__(
        self, held: EmbeddingTable, pixels: Image, n_train: int, seed: int, work: Path
    ) -> None:
        self._held, self._pixels, self._n = held, pixels, n_train
        self._seed, self._work = seed, work
        self._sides = Sides(held.labels("gender"), held.labels("subject"), n_train)
        subjects = held.labels("subject").take(self._sides.test)
        drawn = draw_pairs(subjects, N_PAIRS, random_state=seed)
        self._pairs = _moved(drawn, n_train, n_train)
        self._stale: PixelClassifier | None = None

    def originals(self) -> Record:
        """Measure the faces as they are."""
        return self._kept("originals", lambda: self._images("originals", None, None))

    def obfuscated(self, name: str, pixels: Image, embeddings: FloatArray) -> Record:
        """Measure obfuscated faces and their embeddings."""
        return self._kept(name, lambda: self._images(name, pixels, embeddings))

    def maps(self, fit: EmbeddingTable) -> list[Record]:
        """Measure maps of embeddings, fitted on rows of other subjects."""
        methods = {
            "SensitiveNet": SensitiveNet(random_state=self._seed),
            "RoutedTransport": RoutedTransport(random_state=self._seed),
            "CodedTransport": CodedTransport(random_state=self._seed),
        }
        return [self._kept(n, lambda n=n, m=m: self._map(n, m, fit)) for n, m in methods.items()]

    def _images(self, name: str, pixels: Image | None, embeddings: FloatArray | None) -> Record:
        before = self._held.vectors
        faces = self._pixels if pixels is None else pixels
        vectors = before if embeddings is None else embeddings
        stale = self._classifier_of_originals()
        adapted = stale if pixels is None else self._classifier(faces, f"attacker of {name}")
        change = faces.astype(np.float64) / 255 - self._pixels / 255.0
        return {
            "name": name,
            "pixels": {
                "stale": self._read(stale, faces),
                "adapted": self._read(adapted, faces),
            },
            "embeddings": self._attacks(vectors),
            "verification": self._verify(vectors, self._pairs),
            "across": self._across(vectors),
            "cosine": float((before * vectors).sum(1)[self._n :].mean()),
            "change": float(np.sqrt(np.square(change[self._n :]).mean())),
        }

    def _map(self, name: str, method: Any, fit: EmbeddingTable) -> Record:
        sensitive = {"gender": fit.column("gender")}
        method.fit(fit.vectors, fit.column("subject"), sensitive=sensitive)
        vectors = method.transform(self._held.vectors)
        attacks = {"adapted": self._attack(vectors, vectors)}
        return {
            "name": name,
            "embeddings": attacks,
            "verification": self._verify(vectors, self._pairs),
        }

    def _attacks(self, vectors: FloatArray) -> Record:
        return {
            "stale": self._attack(self._held.vectors, vectors),
            "adapted": self._attack(vectors, vectors),
        }

    def _attack(self, train: FloatArray, test: FloatArray) -> Record:
        found = read_from_embeddings(
            train[: self._n], test[self._n :], self._sides, random_state=self._seed
        )
        return {attacker: asdict(value) for attacker, value in found.items()}

    def _classifier_of_originals(self) -> PixelClassifier:
        if self._stale is None:
            self._stale = self._classifier(self._pixels, "attacker of originals")
        return self._stale

    def _classifier(self, pixels: Image, title: str) -> PixelClassifier:
        with progress_bar(title) as progress:
            return train_classifier(
                pixels[: self._n],
                self._sides.labels.take(np.arange(self._n)),
                ATTACKER,
                n_epochs=ATTACKER_EPOCHS,
                # No seed of the classifiers that were confounded.
                random_state=7919 + self._seed,
                device=training_device(None),
                progress=progress,
            )

    def _read(self, classifier: PixelClassifier, pixels: Image) -> Record:
        found = read_from_pixels(
            classifier, pixels[self._n :], self._sides, random_state=self._seed
        )
        return asdict(found)

    def _across(self, vectors: FloatArray) -> Record:
        """Compare the face as it is on the left with the changed one on the right."""
        n = len(vectors)
        return self._verify(
            np.concatenate([self._held.vectors, vectors]), _moved(self._pairs, 0, n)
        )

    def _verify(self, vectors: FloatArray, pairs: Pairs) -> Record:
        result = verify(vectors, pairs, fmr_targets=(FMR,), random_state=self._seed)
        return {
            "accuracy": asdict(result.accuracy.estimate),
            "tar": asdict(result.tar_at_far(FMR)),
            "pairs": len(pairs),
        }

    def _kept(self, name: str, measure: Callable[[], Record]) -> Record:
        path = self._work / f"{name}-{self._seed}.json"
        if not path.exists():
            record = measure()
            with atomic_file(path) as temporary:
                temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        found: Record = json.loads(path.read_text(encoding="utf-8"))
        return found


def _moved(pairs: Pairs, left: int, right: int) -> Pairs:
    return Pairs(pairs.left + left, pairs.right + right, pairs.same, pairs.fold, pairs.source)


def print_tables(records: list[Record]) -> None:
    """Write the three tables as Markdown."""
    console = Console(width=220, highlight=False, soft_wrap=True)
    for title, who in (("re-trained on what it attacks", "adapted"), ("of originals", "stale")):
        console.print(
            f"\nAttackers {title}\n\n| | CNN on pixels | NN | SVM | RF | voting ensemble |\n"
            "|---|---|---|---|---|---|"
        )
        for record in records:
            if who in record["embeddings"]:
                pixels = _cell(record["pixels"][who]) if "pixels" in record else ""
                cells = [
                    _cell(record["embeddings"][who][a])
                    for a in ("NN", "SVM", "RF", "voting ensemble")
                ]
                console.print(f"| {record['name']} | {' | '.join([pixels, *cells])} |")
        if who == "adapted":
            for name, values in PAPER.items():
                console.print(f"| paper: {name} | | {' | '.join(map(str, values))} | |")
    console.print(
        f"\n| | accuracy | TAR at FMR {FMR:g} | against originals | TAR | cosine | change |\n"
        "|---|---|---|---|---|---|---|"
    )
    for record in records:
        cells = _rates(record["verification"])
        if "across" in record:
            cells += _rates(record["across"])
            cells += [f"{record['cosine']:.3f}", f"{record['change']:.3f}"]
        cells += [""] * (6 - len(cells))
        console.print(f"| {record['name']} | {' | '.join(cells)} |")


def _rates(record: Record) -> list[str]:
    return [_cell(record["accuracy"]), _cell(record["tar"])]


def _cell(value: Record) -> str:
    found = Estimate(**value)
    return f"{100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"
