"""Smiling out of CelebA's embeddings; gender and identity stay.

Reads celeba.parquet in the folder of SENSITIVENETS_DATA. Maps are fitted on a third of the people,
attackers are trained on the second and tested on the last, over all pairs of which people are
verified. Every attacker of the quick audit, or of the whole one, is fitted anew on smiling, which
should be hidden, and on gender, which should not; a machine that whitens is asked for smiling, too.

    python experiments/smiling_removed.py [--full] [--attribute smiling] [--method sensitivenet ...]
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from sensitivenets.audit import Split, audit, quick_audit
from sensitivenets.benchmark.methods import METHODS
from sensitivenets.embeddings import EmbeddingTable, FloatArray, read_table
from sensitivenets.verification import verify_all_pairs

KEPT = "gender"
# name: method, its parameters, the column that it is told to keep
SETTINGS: dict[str, tuple[str, dict[str, Any], str]] = {
    # A third of CelebA has few hard triplets: a fifth of the default's.
    "SensitiveNet, identity kept": ("sensitivenet", {"n_triplets": 20_000}, "subject"),
    "SensitiveNet, gender kept": ("sensitivenet", {"loss": "cross_entropy"}, KEPT),
    "LEACE": ("leace", {}, "subject"),
    "SPLINCE, gender kept": ("splince", {}, KEPT),
    "routed transport": ("routed_transport", {}, "subject"),
    "coded transport, 2 048 bits": ("coded_transport", {"n_bits": 2048}, "subject"),
}


def parts_of(table: EmbeddingTable) -> list[np.ndarray]:
    """Deal the subjects to three parts."""
    subject = table.labels("subject")
    part = np.random.default_rng(0).integers(3, size=len(subject.classes))[subject.codes]
    return [np.flatnonzero(part == k) for k in range(3)]


def whitened(vectors: FloatArray, codes: np.ndarray, split: Split) -> float:
    """Balanced accuracy of an RBF-SVM on whitened principal components."""
    rank = np.linalg.matrix_rank(vectors[split.train] - vectors[split.train].mean(axis=0))
    reader = make_pipeline(PCA(min(int(rank), 128), whiten=True, random_state=0), SVC())
    reader.fit(vectors[split.train], codes[split.train])
    return float(balanced_accuracy_score(codes[split.test], reader.predict(vectors[split.test])))


def report(
    name: str, vectors: FloatArray, table: EmbeddingTable, split: Split, hidden: str, full: bool
) -> None:
    """Attack, verify, and print one line."""
    labels = {column: table.labels(column) for column in (hidden, KEPT)}
    cells = []
    for column, of in labels.items():
        found = (
            audit(vectors, None, {column: of}, split=split, curves=False, n_jobs=1)
            if full
            else quick_audit(vectors, None, {column: of}, split=split, n_jobs=1)
        )
        read = found.attributes[0].before.strongest
        cells.append(
            f"{100 * read.balanced_accuracy:.1f} [{100 * read.low:.1f}, {100 * read.high:.1f}]"
        )
    tested = split.test
    cells.insert(1, f"{100 * whitened(vectors, labels[hidden].codes, split):.1f}")
    people = verify_all_pairs(
        vectors[tested], table.labels("subject").take(tested), n_bootstrap=100
    )
    tar = next(point.tar for point in people.fnmr_at_fmr if point.target_fmr == 1e-3)
    cells += [
        f"{100 * people.eer.value:.1f}",
        "refused" if tar is None else f"{100 * tar.value:.1f}",
    ]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--attribute", default="smiling")
    parser.add_argument("--method", choices=SETTINGS, action="append")
    arguments = parser.parse_args()
    hidden = arguments.attribute
    table = read_table(Path(os.environ["SENSITIVENETS_DATA"]) / "celeba.parquet")
    rows, train, test = parts_of(table)
    split, fit = Split(train, test, table.labels("subject")), table.take(rows)
    print(f"| | {hidden}, hidden | whitened | {KEPT}, kept | EER | TAR at FMR 1e-3 |")
    print("|---|---|---|---|---|---|")
    report("nothing removed", table.vectors, table, split, hidden, arguments.full)
    for name in arguments.method or SETTINGS:
        method, parameters, kept = SETTINGS[name]
        start = time.perf_counter()
        eraser = METHODS[method].load()(random_state=0, **parameters)
        eraser.fit(fit.vectors, fit.column(kept), sensitive={hidden: fit.column(hidden)})
        print(f"<!-- {time.perf_counter() - start:.0f} s to fit -->", flush=True)
        vectors = eraser.transform(table.vectors)
        report(name, vectors, table, split, hidden, arguments.full)


if __name__ == "__main__":
    main()
