"""Hide who, keep what: identity out of CelebA's embeddings, smiling or youth kept.

Reads celeba.parquet in the folder of SENSITIVENETS_DATA. Maps are fitted on half of the subjects; a
quarter are people whom the attacker knows and fits comparers on; the last quarter is attacked:
verification, closed and open sets, and linkage with the old table of raw embeddings. The task is
read by an RBF-SVM trained on the fit half.

    python experiments/identity_hidden.py [--task smiling] [--method identity_span ...]
    python experiments/identity_hidden.py --front    # from the score of the task down to chance
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sensitivenets.benchmark.methods import METHODS
from sensitivenets.embeddings import EmbeddingTable, FloatArray, read_table
from sensitivenets.errors import CollapseWarning
from sensitivenets.verification.recognition_attacks import audit_recognition

SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "identity span, 100 directions": ("identity_span", {"n_directions": 100}),
    "identity span, 120 directions": ("identity_span", {"n_directions": 120}),
    "identity span, all": ("identity_span", {}),
    "identity transport, 8 clusters, 5 rounds": ("identity_transport", {}),
    "identity transport, 16 clusters, 10 rounds": (
        "identity_transport",
        {"n_groups": 16, "n_rounds": 10},
    ),
    "the same, code of 1 024 bits at 3": (
        "identity_transport",
        {"n_groups": 16, "n_rounds": 10, "n_bits": 1024, "scale": 3.0},
    ),
    "VGAN, 8 features": ("vgan", {"n_epochs": 8}),
    "VGAN, 32 features": ("vgan", {"n_epochs": 8, "n_units": 32}),
    "Blind Eye": ("blind_eye", {"loss": "cross_entropy", "n_epochs": 8}),
}


def parts_of(table: EmbeddingTable) -> tuple[EmbeddingTable, EmbeddingTable]:
    """Divide by subject: to fit on, and to attack."""
    subject = table.labels("subject").codes
    everyone = np.random.default_rng(0).permutation(subject.max() + 1)
    fitted = np.isin(subject, everyone[: len(everyone) // 2])
    return table.take(fitted), table.take(~fitted)


def report(
    name: str,
    transform: Callable[[FloatArray], FloatArray],
    fit: EmbeddingTable,
    others: EmbeddingTable,
    task: str,
) -> None:
    """Measure the task and every attack, and print one line."""
    subject = others.labels("subject")
    people = np.random.default_rng(1).permutation(np.unique(subject.codes))
    known = np.isin(subject.codes, people[: len(people) // 2])
    after = transform(others.vectors)
    reader = make_pipeline(StandardScaler(), SVC(class_weight="balanced"))
    reader.fit(transform(fit.vectors), fit.labels(task).codes)
    told = balanced_accuracy_score(others.labels(task).codes[~known], reader.predict(after[~known]))
    audit = audit_recognition(after, subject, known, before=others.vectors)
    alone = max(
        (one for one in audit.attempts if not one.linkage),
        key=lambda one: one.identification.rank_1.value,
    )
    linked = max(
        (one for one in audit.attempts if one.linkage),
        key=lambda one: one.identification.rank_1.value,
    )
    eer, chance = audit.lowest_eer, 100 * alone.identification.chance
    open_set = alone.identification.open_set[0].tpir
    cells = (
        f"{100 * told:.1f}",
        *(
            f"{100 * v.value:.1f} [{100 * v.low:.1f}, {100 * v.high:.1f}]"
            for v in (eer, alone.identification.rank_1, open_set, linked.identification.rank_1)
        ),
        f"{alone.comparer}; {linked.comparer}",
    )
    print(f"| {name} | {' | '.join(cells)} |  <!-- chance {chance:.2f} -->", flush=True)


def front(fit: EmbeddingTable, others: EmbeddingTable, task: str) -> None:
    """Give away ever less of the task: its score, with noise, its decision, the decision at times.

    What is drawn is drawn once a row. The last line is the truth itself, which no map has: whoever
    keeps the task to perfection keeps that much of who it is.
    """
    span = METHODS["identity_span"].load()(random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        span.fit(fit.vectors, fit.column(task), sensitive={"subject": fit.column("subject")})
    reader = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    reader.fit(span.transform(fit.vectors), fit.labels(task).codes)
    spread = reader.decision_function(span.transform(fit.vectors)).std()
    rng = np.random.default_rng(0)

    def score(rows: FloatArray, noise: float = 0.0) -> FloatArray:
        told = reader.decision_function(span.transform(rows)) / spread
        return np.asarray((told + noise * rng.standard_normal(len(rows)))[:, None], np.float32)

    def decision(rows: FloatArray, turned: float = 0.0) -> FloatArray:
        told = np.sign(score(rows))
        told[rng.random(len(rows)) < turned] *= -1
        return told

    report("its score", score, fit, others, task)
    for noise in (0.5, 1.0, 2.0, 4.0):
        report(f"its score, noise {noise:g}", partial(score, noise=noise), fit, others, task)
    report("its decision", decision, fit, others, task)
    for turned in (0.1, 0.2, 0.3, 0.4):
        name = f"its decision, {100 * turned:.0f} % of them turned"
        report(name, partial(decision, turned=turned), fit, others, task)
    truth = {id(part.vectors): 2.0 * part.labels(task).codes[:, None] - 1 for part in (fit, others)}
    report("the true label", lambda rows: truth[id(rows)].astype(np.float32), fit, others, task)


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="smiling")
    parser.add_argument("--method", choices=SETTINGS, action="append")
    parser.add_argument("--front", action="store_true", help="the front of the task alone")
    arguments = parser.parse_args()
    task = arguments.task
    fit, others = parts_of(read_table(Path(os.environ["SENSITIVENETS_DATA"]) / "celeba.parquet"))
    print(f"| | {task} | EER | rank 1 | TPIR at FPIR 1 % | linkage, rank 1 | strongest |")
    print("|---|---|---|---|---|---|---|")
    report("raw", lambda rows: rows, fit, others, task)
    if arguments.front:
        front(fit, others, task)
        return
    for name in arguments.method or SETTINGS:
        method, parameters = SETTINGS[name]
        eraser = METHODS[method].load()(random_state=0, **parameters)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CollapseWarning)  # a task needs little rank
            eraser.fit(fit.vectors, fit.column(task), sensitive={"subject": fit.column("subject")})
        report(name, eraser.transform, fit, others, task)


if __name__ == "__main__":
    main()
