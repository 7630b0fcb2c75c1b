"""Photographs of nobody that keep a smile: is anyone recognised? (docs/faces_of_nobody.md).

    SENSITIVENETS_DATA=data OMP_NUM_THREADS=1 python experiments/faces_of_nobody.py --people 1200

CelebA's people with two photographs or more, cut out and aligned. Half of them are donors, and
train the network of pixels that decides who smiles; a quarter are people whom the attacker knows,
and fits comparers of remade faces on; the last quarter is attacked. MobileFaceNet embeds all. The
smile is read by another network of pixels, trained on the donors' photographs as they are, and by
an SVM on coarse pixels, fitted anew on what the attacker's people were made into. Of donors: how
often the nearest donor of all to a remade face is one of its k.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from table_two_faces import embed, face_network

from sensitivenets.embeddings import FloatArray, Labels, read_table
from sensitivenets.faces.images import Image
from sensitivenets.faces.photographs import find_photographs
from sensitivenets.obfuscation.classifiers import train_classifier
from sensitivenets.obfuscation.crops import aligned_crops
from sensitivenets.obfuscation.faces_of_nobody import Donors, faces_of_nobody
from sensitivenets.obfuscation.networks import ENSEMBLE, PixelClassifier
from sensitivenets.progress import progress_bar
from sensitivenets.verification.recognition_attacks import audit_recognition


@dataclass(frozen=True)
class People:
    """Aligned photographs, who is shown, who smiles."""

    pixels: Image
    embeddings: FloatArray
    subjects: Labels
    smiling: Labels

    def take(self, rows: np.typing.NDArray[np.int64]) -> People:
        """Keep some photographs."""
        return People(
            self.pixels[rows],
            self.embeddings[rows],
            self.subjects.take(rows),
            self.smiling.take(rows),
        )


def read_people(data: Path, n_people: int) -> People:
    """Cut out and embed the photographs of people who have two or more."""
    table = read_table(data / "celeba.parquet")
    codes = table.labels("subject").codes
    several = np.flatnonzero(np.bincount(codes) > 1)
    chosen = np.random.default_rng(0).permutation(several)[:n_people]
    table = table.take(np.isin(codes, chosen))
    of_number = {path.stem: path for path in find_photographs(data / "celeba_images").images}
    paths = [of_number[f"{int(n):06d}"] for n in table.column("image").to_pylist()]
    with progress_bar("faces") as progress:
        crops = aligned_crops(paths, data / "models" / "yunet.onnx", progress=progress)
    table = table.take(np.asarray(crops.rows))
    found = embed(crops.pixels, face_network(data))
    return People(crops.pixels, found, table.labels("subject"), table.labels("smiling"))


def coarse_pixels(faces: Image) -> FloatArray:
    """Return grey faces of 14 pixels a side, one a row."""
    cells = faces.mean(axis=3).reshape(len(faces), 14, 8, 14, 8)
    return np.asarray(cells.mean(axis=(2, 4)).reshape(len(faces), -1))


def line(
    name: str, faces: Image, embeddings: FloatArray, reader: PixelClassifier, people: People
) -> None:
    """Print what is read of the smile, and what comparers fitted anew find."""
    others = np.random.default_rng(2).permutation(np.unique(people.subjects.codes))
    known = np.isin(people.subjects.codes, others[: len(others) // 2])
    told = reader.scores(faces).argmax(axis=1)
    coarse = coarse_pixels(faces)
    anew = make_pipeline(StandardScaler(), SVC(class_weight="balanced"))
    told_anew = anew.fit(coarse[known], people.smiling.codes[known]).predict(coarse[~known])
    smiles = " | ".join(
        f"{100 * balanced_accuracy_score(people.smiling.codes[~known], one):.1f}"
        for one in (told[~known], told_anew)
    )
    audit = audit_recognition(embeddings, people.subjects, known, before=people.embeddings)
    alone, linked = (
        max(
            (one.identification.rank_1 for one in audit.attempts if one.linkage == old),
            key=lambda rate: rate.value,
        )
        for old in (False, True)
    )
    cells = " | ".join(
        f"{100 * rate.value:.1f} [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"
        for rate in (audit.lowest_eer, alone, linked)
    )
    chance = 100 * audit.attempts[0].identification.chance
    print(f"| {name} | {smiles} | {cells} |  <!-- chance {chance:.2f} -->", flush=True)


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=1200)
    data = Path(os.environ["SENSITIVENETS_DATA"])
    everyone = read_people(data, parser.parse_args().people)
    named = np.random.default_rng(1).permutation(np.unique(everyone.subjects.codes))
    is_donor = np.isin(everyone.subjects.codes, named[: len(named) // 2])
    giving, people = (everyone.take(np.flatnonzero(part)) for part in (is_donor, ~is_donor))
    decider, reader = (
        train_classifier(giving.pixels, giving.smiling, one) for one in (ENSEMBLE[0], ENSEMBLE[2])
    )
    donors = Donors(giving.pixels, giving.subjects, giving.smiling)
    print("| | smiling: network as it is | SVM fitted anew | EER | rank 1 | linkage, rank 1 |")
    print("|---|---|---|---|---|---|")
    line("photographs", people.pixels, people.embeddings, reader, people)
    decided = decider.scores(people.pixels).argmax(axis=1)
    signs = np.float32(2) * decided[:, None].astype(np.float32) - 1
    # Whoever sees a remade face sees the decision. Black and white, which no network has learned.
    blank = np.zeros_like(people.pixels)
    blank[decided == 1] = 255
    line("the decision alone", blank, signs, reader, people)
    network = face_network(data)
    for k in (2, 4, 16, 64):
        made = faces_of_nobody(people.pixels, donors, decider, k=k)
        embeddings = embed(made.pixels, network)
        line(f"of k = {k} others", made.pixels, embeddings, reader, people)
        nearest = (embeddings @ giving.embeddings.T).argmax(axis=1)
        right = giving.subjects.codes[nearest][:, None] == giving.subjects.codes[made.donors]
        n_donors = len(np.unique(giving.subjects.codes))
        found = 100 * right.any(axis=1).mean()
        print(f"  donor found {found:.1f} %, chance {100 * k / n_donors:.2f}", flush=True)
    right = balanced_accuracy_score(people.smiling.codes, made.decided)
    print(f"  {len(people.pixels)} photographs; the decision is right for {100 * right:.1f} %")


if __name__ == "__main__":
    main()
