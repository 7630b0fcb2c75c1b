"""Where the paper's method stands on real faces: a sweep of what it leaves open.

Reads the folder in SENSITIVENETS_DATA. Everything is chosen on data made from fit rows: phi
from three quarters of CelebA's subjects, detectors from 20 557 FairFace fit rows, attackers from
5 000 others tested on 3 000 more, verification on all pairs of the remaining CelebA images.

    python experiments/paper_method.py [--out sweep.jsonl] [--only NAME]
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sensitivenets.embeddings import read_table
from sensitivenets.errors import CollapseWarning
from sensitivenets.sensitivenet.estimator import SensitiveNet
from sensitivenets.sensitivenet.phi import compact, unit_rows

BASE: dict[str, Any] = {"target": "chance", "remine": True, "adversarial_weight": 1.0}
PAPER = {"target": 0.9, "remine": False, "adversarial_weight": 1.0}
RUNS: dict[str, dict[str, Any]] = {
    "as printed (no hinge)": PAPER | {"hinge": False},
    "as printed, hinge": PAPER,
    "as printed, hinge, Adam detectors": PAPER
    | {"detector_solver": "adam", "detector_interval": 196},
    "base": BASE,
    "target 0.9": BASE | {"target": 0.9},
    "target 0.9, weight 0.1": BASE | {"target": 0.9, "adversarial_weight": 0.1},
    "target 0.9, weight 0.3": BASE | {"target": 0.9, "adversarial_weight": 0.3},
    "weight 0": BASE | {"adversarial_weight": 0.0},
    "weight 0.1": BASE | {"adversarial_weight": 0.1},
    "weight 0.3": BASE | {"adversarial_weight": 0.3},
    "weight 3": BASE | {"adversarial_weight": 3.0},
    "weight 10": BASE | {"adversarial_weight": 10.0},
    "no hinge": BASE | {"hinge": False},
    "triplets mined once": BASE | {"remine": False},
    "all attributes each step": BASE | {"schedule": "sum"},
    "glorot": BASE | {"init": "glorot"},
    "margin 0.1": BASE | {"margin": 0.1},
    "margin 0.5": BASE | {"margin": 0.5},
    "margin 1.0": BASE | {"margin": 1.0},
    "1 layer": BASE | {"n_layers": 1},
    "2 layers": BASE | {"n_layers": 2},
    "6 layers": BASE | {"n_layers": 6},
    "1 epoch": BASE | {"n_epochs": 1},
    "5 epochs": BASE | {"n_epochs": 5},
    "learning rate 3e-4": BASE | {"learning_rate": 3e-4},
    "learning rate 3e-3": BASE | {"learning_rate": 3e-3},
    "batches of 128": BASE | {"batch_size": 128, "detector_interval": 196},
    "detectors every 10 steps": BASE | {"detector_interval": 10},
    "detectors once an epoch": BASE | {"detector_interval": 196},
    "detector C 0.1": BASE | {"detector_C": 0.1},
    "detector C 10": BASE | {"detector_C": 10.0},
    "400 000 triplets": BASE | {"n_triplets": 400_000, "n_epochs": 1},
    "64 units": BASE | {"n_units": 64},
    "32 units": BASE | {"n_units": 32},
    "the other target classes": BASE
    | {"target_classes": {"gender": "Male", "ethnicity": "Group 3"}},
}


@dataclass(frozen=True)
class Validation:
    """Splits made from fit data, fixed by one seed."""

    X: np.ndarray
    subject: np.ndarray
    X_pairs: np.ndarray
    subject_pairs: np.ndarray
    X_detector: np.ndarray
    detector: dict[str, np.ndarray]
    X_attack: np.ndarray
    attack: dict[str, np.ndarray]
    X_test: np.ndarray
    test: dict[str, np.ndarray]


def validation_splits(folder: Path) -> Validation:
    """Split by subject (CelebA) and by row (FairFace, one row a person)."""
    rng = np.random.default_rng(7)
    celeba = read_table(folder / "celeba.parquet")
    faces = read_table(folder / "fairface.parquet").where("split", "fit")
    subject = celeba.labels("subject").codes
    kept = rng.permutation(subject.max() + 1)[: (subject.max() + 1) // 4]
    pairs = np.isin(subject, kept)
    order = rng.permutation(len(faces))
    rows = {"attack": order[:5000], "test": order[5000:8000], "detector": order[8000:]}
    codes = {name: faces.labels(name) for name in ("gender", "ethnicity")}

    def part(name: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        index = rows[name]
        text = {k: np.array(v.classes)[v.codes[index]] for k, v in codes.items()}
        return faces.vectors[index], text

    return Validation(
        celeba.vectors[~pairs],
        subject[~pairs],
        celeba.vectors[pairs],
        subject[pairs],
        *part("detector"),
        *part("attack"),
        *part("test"),
    )


def verification(Z: np.ndarray, subject: np.ndarray) -> dict[str, float]:
    """TAR at FAR 1e-3 over all pairs."""
    left, right = np.triu_indices(len(Z), 1)
    scores = (Z @ Z.T)[left, right]
    genuine = subject[left] == subject[right]
    threshold = np.quantile(scores[~genuine], 1 - 1e-3)
    return {"tar": float(np.mean(scores[genuine] > threshold))}


def leakage(
    before: np.ndarray, labels: np.ndarray, after: np.ndarray, truth: np.ndarray
) -> dict[str, float]:
    """Balanced accuracy of linear and RBF attackers, as they come and after whitening."""
    attackers = {
        "linear": LogisticRegression(max_iter=1000),
        "svm": make_pipeline(StandardScaler(), SVC(C=3)),
        "svm, whitened": make_pipeline(PCA(whiten=True, svd_solver="full"), SVC(C=3)),
    }
    found = {}
    for name, attacker in attackers.items():
        attacker.fit(before, labels)
        found[name] = float(balanced_accuracy_score(truth, attacker.predict(after)))
    return found


def measure(data: Validation, folded: np.ndarray) -> dict[str, float]:
    """Verification and leakage of phi in its compact form, which keeps all lengths and angles."""
    root, _ = compact(folded)
    found = verification(unit_rows(data.X_pairs, root), data.subject_pairs)
    attack, test = (unit_rows(X, root).astype(float) for X in (data.X_attack, data.X_test))
    for name in ("gender", "ethnicity"):
        read = leakage(attack, data.attack[name], test, data.test[name])
        found |= {f"{name} {attacker}": value for attacker, value in read.items()}
    return found


def main() -> None:
    """Run what is asked for and append one JSON line a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("paper_method.jsonl"))
    parser.add_argument("--only", choices=RUNS, action="append")
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    data = validation_splits(Path(os.environ["SENSITIVENETS_DATA"]))
    runs = {"raw": None} | {name: RUNS[name] for name in arguments.only or RUNS}
    for name, parameters in runs.items():
        for seed in range(arguments.seeds if parameters else 1):
            started = time.perf_counter()
            folded = np.eye(data.X.shape[1], dtype=np.float32)
            record: dict[str, Any] = {"name": name, "seed": seed}
            if parameters is not None:
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always", CollapseWarning)
                    net = SensitiveNet(**parameters, random_state=seed)
                    net.fit(data.X, data.subject, detector=(data.X_detector, data.detector))
                folded = net.model_.map.weight
                last = net.model_.curve[-1]
                record |= {"rank": last["effective_rank"], "collapsed": len(caught) > 0}
            record["seconds"] = time.perf_counter() - started
            record |= measure(data, folded)
            with arguments.out.open("a") as file:
                file.write(json.dumps(record) + "\n")
            print(
                json.dumps({
                    k: round(v, 3) if isinstance(v, float) else v for k, v in record.items()
                })
            )


if __name__ == "__main__":
    main()
