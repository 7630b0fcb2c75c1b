"""Does an eraser fitted on one population hide gender in another? Quick audits of three.

    SENSITIVENETS_DATA=data OMP_NUM_THREADS=1 python experiments/other_populations.py [--seed 0]

Routed transport is fitted on FairFace `fit` (gender x ethnicity), on a third of CelebA's subjects
(gender), or on both: groups are then data set x gender (x ethnicity), eight in all. The quick
audit's attackers are trained and tested on other rows of FairFace, on the other two thirds of
CelebA's subjects, and on two thirds of LFW's, of whom nobody was fitted on. Nothing is chosen here.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sensitivenets.audit import quick_audit
from sensitivenets.audit.splits import Split
from sensitivenets.embeddings import EmbeddingTable, FloatArray, read_table
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.verification import read_pairs, verify

Map = Callable[[FloatArray], FloatArray]


def thirds(table: EmbeddingTable) -> np.ndarray:
    """Deal the subjects to three parts; rows without a gender are in none (-1)."""
    subjects = table.labels("subject")
    part = np.random.default_rng(0).integers(3, size=len(subjects.classes))[subjects.codes]
    return np.where(table.labels("gender").labelled, part, -1)


def populations(folder: Path) -> dict[str, tuple[EmbeddingTable, Split]]:
    """Return each table with the rows of its attackers: to train and to test."""
    fairface = read_table(folder / "fairface.parquet")
    split = fairface.labels("split")
    rows = {name: np.flatnonzero(split.codes == k) for k, name in enumerate(split.classes)}
    found = {"FairFace": (fairface, Split(rows["attack_train"], rows["attack_test"]))}
    for name in ("CelebA", "LFW"):
        table = read_table(folder / f"{name.lower()}.parquet")
        part = thirds(table)
        found[name] = (table, Split(np.flatnonzero(part == 1), np.flatnonzero(part == 2)))
    return found


def fitted_on(names: tuple[str, ...], folder: Path, seed: int) -> Map:
    """Fit routed transport on one or two data sets; the data set is part of a group's name."""
    vectors, groups = [], []
    if "FairFace" in names:
        fairface = read_table(folder / "fairface.parquet").where("split", "fit")
        columns = (fairface.column(name).to_pylist() for name in ("gender", "ethnicity"))
        vectors.append(fairface.vectors)
        groups += ["FairFace " + " ".join(pair) for pair in zip(*columns, strict=True)]
    if "CelebA" in names:
        celeba = read_table(folder / "celeba.parquet")
        celeba = celeba.take(thirds(celeba) == 0)
        vectors.append(celeba.vectors)
        groups += [f"CelebA {gender}" for gender in celeba.column("gender").to_pylist()]
    eraser = RoutedTransport(random_state=seed)
    return eraser.fit(np.vstack(vectors), sensitive={"group": groups}).model_.map


def main() -> None:
    """Run and print one line a map."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    folder = Path(os.environ["SENSITIVENETS_DATA"])
    pairs = read_pairs(folder / "lfw_pairs.parquet", protocol="view2")
    audited = populations(folder)
    print(f"| fitted on | {' | '.join(audited)} | LFW view 2 |\n|{'---|' * (len(audited) + 2)}")
    for names in ((), ("FairFace",), ("CelebA",), ("FairFace", "CelebA")):
        phi: Map = fitted_on(names, folder, seed) if names else lambda X: X
        cells = []
        for table, split in audited.values():
            labels = {"gender": table.labels("gender")}
            result = quick_audit(phi(table.vectors), None, labels, split=split, random_state=seed)
            strongest = result.attributes[0].before.strongest
            low, high = (100 * end for end in (strongest.low, strongest.high))
            cells.append(f"{100 * strongest.balanced_accuracy:.1f} [{low:.1f}, {high:.1f}]")
        kept = verify(phi(audited["LFW"][0].vectors), pairs, n_bootstrap=0).accuracy.estimate.value
        name = " and ".join(names) or "nothing removed"
        print(f"| {name} | {' | '.join(cells)} | {100 * kept:.2f} |", flush=True)


if __name__ == "__main__":
    main()
