"""Automatic recruitment: a recruiter who learned from biased scores, given agnostic inputs.

Synthetic job applications (`synthetic_recruitment`) with real faces of FairFace from the folder in
SENSITIVENETS_DATA: 24 000 profiles, a fifth of them tested on. The recruiter is a small network
that learns biased scores from merits, and from a face and a biography beside them; maps are fitted
on the faces of training profiles.

    python experiments/recruitment.py [--profiles 24000] [--sensitivenet]
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from sensitivenets.datasets import synthetic_recruitment
from sensitivenets.datasets.recruitment import MERITS
from sensitivenets.embeddings import EmbeddingTable, read_table
from sensitivenets.erasers.transport.coded_transport import CodedTransport
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.fairness import compare_scores
from sensitivenets.sensitivenet.estimator import SensitiveNet

Inputs = dict[str, npt.NDArray[np.float64]]


def inputs_of(table: EmbeddingTable, train: npt.NDArray[np.bool_]) -> Inputs:
    """Give merits, face, biography and blind biography as numbers; words are counted."""
    found = {
        "merits": np.stack([table.column(name).to_numpy() for name in MERITS], axis=1),
        "face": table.vectors.astype(np.float64),
    }
    for name in ("bio", "bio_blind"):
        texts = np.array(table.column(name).to_pylist())
        counter = CountVectorizer(token_pattern=r"\w+").fit(texts[train])
        found[name] = counter.transform(texts).toarray().astype(np.float64)
    return found


def agnostic_faces(
    table: EmbeddingTable,
    train: npt.NDArray[np.bool_],
    attribute: str,
    people: EmbeddingTable | None,
) -> Inputs:
    """Map the faces by what is learned from training profiles; SensitiveNet needs people, too."""
    known = {attribute: np.array(table.column(attribute).to_pylist())[train]}
    found = {}
    for eraser in (RoutedTransport(random_state=0), CodedTransport(random_state=0)):
        eraser.fit(table.vectors[train], sensitive=known)
        found[type(eraser).__name__] = eraser.transform(table.vectors).astype(np.float64)
    if people is not None:
        net = SensitiveNet(random_state=0)
        net.fit(people.vectors, people.column("subject"), detector=(table.vectors[train], known))
        found["SensitiveNet"] = net.transform(table.vectors).astype(np.float64)
    return found


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profiles", type=int, default=24000)
    parser.add_argument("--sensitivenet", action="store_true")
    arguments = parser.parse_args()
    data = Path(os.environ["SENSITIVENETS_DATA"])
    table = synthetic_recruitment(arguments.profiles, faces=read_table(data / "fairface.parquet"))
    people = read_table(data / "celeba.parquet") if arguments.sensitivenet else None
    train = np.array(table.column("split").to_pylist()) == "train"
    inputs = inputs_of(table, train)
    print("| attribute | learned from | scores | KL (by chance) | error | top 100 |")
    print("|---|---|---|---|---|---|")
    for attribute in ("gender", "ethnicity"):
        biased = f"score_{attribute}_biased"
        agnostic = agnostic_faces(table, train, attribute, people)
        every = inputs | agnostic
        report(table, train, every, attribute, ["merits"], "score")
        report(table, train, every, attribute, ["merits", "face", "bio"], "score")
        for names in (["merits"], ["merits", "face"], ["merits", "face", "bio"]):
            report(table, train, every, attribute, names, biased)
        for name in agnostic:
            report(table, train, every, attribute, ["merits", name], biased)
        report(table, train, every, attribute, ["merits", "RoutedTransport", "bio_blind"], biased)


def report(
    table: EmbeddingTable,
    train: npt.NDArray[np.bool_],
    inputs: Inputs,
    attribute: str,
    names: list[str],
    target: str,
) -> None:
    """Train a recruiter on some inputs and print how its scores of test profiles differ."""
    X = (
        StandardScaler()
        .fit(np.hstack([inputs[name] for name in names])[train])
        .transform(np.hstack([inputs[name] for name in names]))
    )
    recruiter = MLPRegressor(
        hidden_layer_sizes=(40, 20), alpha=1.0, early_stopping=True, random_state=0
    )
    recruiter.fit(X[train], table.column(target).to_numpy()[train])
    scores = np.clip(recruiter.predict(X[~train]), 0, 1)
    found = compare_scores(scores, table.labels(attribute).take(np.flatnonzero(~train)))
    fair = table.column("score").to_numpy()[~train]
    # The level of a score hires nobody: only its order does.
    error = np.abs(np.argsort(np.argsort(scores)) - np.argsort(np.argsort(fair))).mean() / len(fair)
    top = ", ".join(f"{name} {100 * share:.0f}" for name, share in found.top.items())
    print(
        f"| {attribute} | {' + '.join(names)} | {target} | {found.divergence:.3f} "
        f"({found.by_chance:.3f}) | {100 * error:.1f} % | {top} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
