"""SensitiveNet where it drops rank: 2 048 features in, 1 024 units.

The paper's embeddings have 2 048 features and its layers 1 024 units, so that phi cannot be
inverted; ours have 128. A wide embedding is made of the real ones by a random network of two
layers: x -> relu(x A + 0.1) B, with 4 096 hidden units and Gaussian A and B of one seed, then
centred on CelebA and normalised. It says what the 128 features say, along 2 048 directions. Data
are those of `paper_method.py`, with fewer rows for attackers and detectors, and fewer triplets for
phi. Attackers: logistic regression, an RBF-SVM on standardised features, and one on the first 128,
256, 512 or 1 024 principal components, whitened, whichever reads a held-out quarter of the attack
rows best: with as few rows as features, to whiten all of them is to learn nothing.

    python experiments/wide_embedding.py [--triplets 20000] [--rows 4000]
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from paper_method import Validation, validation_splits, verification
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.collapse import measure_collapse
from sensitivenets.embeddings.rows import normalise_rows
from sensitivenets.erasers.baselines import RandomProjection
from sensitivenets.errors import CollapseWarning
from sensitivenets.sensitivenet.estimator import SensitiveNet

N_HIDDEN, N_FEATURES, BIAS = 4096, 2048, 0.1
WIDTHS = (128, 256, 512, 1024)


class WideEmbedding:
    """A random network of two layers behind the real one; nothing of it is trained."""

    def __init__(self, n_in: int, reference: FloatArray, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.first = rng.standard_normal((n_in, N_HIDDEN)).astype(np.float32)
        self.second = rng.standard_normal((N_HIDDEN, N_FEATURES)).astype(np.float32)
        self.mean = self._features(reference).mean(axis=0)

    def _features(self, X: FloatArray) -> FloatArray:
        return np.maximum(X @ self.first + BIAS, 0) @ self.second / np.float32(N_HIDDEN)

    def __call__(self, X: FloatArray) -> FloatArray:
        """Map (n, n_in) to (n, 2 048), of unit length."""
        wide = self._features(X) - self.mean
        normalise_rows(wide)
        return wide


def first(labels: dict[str, Any], n: int) -> dict[str, Any]:
    """Take the first rows of each column."""
    return {name: column[:n] for name, column in labels.items()}


def leakage(
    before: FloatArray, labels: np.ndarray, after: FloatArray, truth: np.ndarray
) -> dict[str, float]:
    """Balanced accuracy of each attacker, fitted anew."""
    widths = sorted({min(width, *before.shape) for width in WIDTHS})
    whitened = make_pipeline(PCA(whiten=True, svd_solver="full"), SVC(C=3))
    attackers = {
        "linear": LogisticRegression(max_iter=1000),
        "SVM": make_pipeline(StandardScaler(), SVC(C=3)),
        "whitened": GridSearchCV(
            whitened,
            {"pca__n_components": widths},
            cv=ShuffleSplit(1, test_size=0.25, random_state=0),
        ),
    }
    return {
        name: float(balanced_accuracy_score(truth, one.fit(before, labels).predict(after)))
        for name, one in attackers.items()
    }


def report(name: str, data: Validation, phi: Any, seconds: float) -> None:
    """Verify, attack and print one line."""
    people = phi(data.X_pairs)
    tar = verification(people, data.subject_pairs)["tar"]
    cells = [f"{100 * tar:.1f}"]
    for attribute in ("gender", "ethnicity"):
        read = leakage(
            phi(data.X_attack).astype(float),
            data.attack[attribute],
            phi(data.X_test).astype(float),
            data.test[attribute],
        )
        cells += [f"{100 * value:.1f}" for value in read.values()]
    rank = np.linalg.matrix_rank(people - people.mean(axis=0), rtol=1e-5)
    cells += [str(rank), f"{measure_collapse(people).effective_rank:.0f}", f"{seconds:.0f} s"]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--triplets", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=4000)
    arguments = parser.parse_args()
    data = validation_splits(Path(os.environ["SENSITIVENETS_DATA"]))
    wide = WideEmbedding(data.X.shape[1], data.X)
    X = wide(data.X)
    n = arguments.rows
    data = replace(data, X_attack=data.X_attack[:n], attack=first(data.attack, n))
    data = replace(data, X_test=data.X_test[:n], test=first(data.test, n))
    detector = (wide(data.X_detector[:n]), first(data.detector, n))
    head = [
        f"{name}: {a}" for name in ("gender", "ethnicity") for a in ("linear", "SVM", "whitened")
    ]
    print(f"| | TAR | {' | '.join(head)} | rank | effective rank | to fit |\n|{'---|' * 11}")
    report("128 features", data, lambda rows: rows, 0)
    report("2 048 features", data, wide, 0)
    runs: dict[str, Any] = {
        "random projection, 1 024": RandomProjection(n_components=1024, random_state=0),
        "SensitiveNet, 1 024 units": SensitiveNet(n_triplets=arguments.triplets, random_state=0),
        "as printed with a hinge": SensitiveNet(
            target=0.9, remine=False, n_triplets=arguments.triplets, random_state=0
        ),
        "SensitiveNet, 64 units": SensitiveNet(
            n_units=64, n_triplets=arguments.triplets, random_state=0
        ),
    }
    for name, eraser in runs.items():
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CollapseWarning)  # the table shows the rank
            eraser.fit(X, data.subject, detector=detector)
        seconds = time.perf_counter() - start
        report(name, data, lambda rows, by=eraser: by.transform(wide(rows)), seconds)


if __name__ == "__main__":
    main()
