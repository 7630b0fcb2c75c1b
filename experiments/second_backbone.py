"""The erasers on a second network: dlib's face recognition ResNet beside MobileFaceNet.

    SENSITIVENETS_DATA=... python experiments/second_backbone.py dlib.parquet [--whole]

The table is what `dlib_embeddings.py` writes. CelebA's subjects are dealt to three parts: to fit
erasers, to train attackers, and to attack and verify. Both networks see the same photographs and
parts. All parameters are defaults or points of the leaderboard; nothing is chosen on these rows.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sensitivenets.audit import AuditResult, audit, quick_audit
from sensitivenets.audit.splits import Split
from sensitivenets.embeddings import EmbeddingTable, read_table
from sensitivenets.erasers.baselines import Unchanged
from sensitivenets.erasers.dependence.farm import FaRM
from sensitivenets.erasers.linear.leace import LEACE
from sensitivenets.erasers.transport.coded_transport import CodedTransport
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.maps.base import FittedMap
from sensitivenets.sensitivenet.estimator import SensitiveNet
from sensitivenets.verification import verify
from sensitivenets.verification.drawn_pairs import draw_pairs

METHODS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "raw": (Unchanged, {}),
    "LEACE": (LEACE, {}),
    "SensitiveNet": (SensitiveNet, {}),
    "FaRM, 100 epochs": (FaRM, {"n_epochs": 100}),
    "RoutedTransport": (RoutedTransport, {}),
    "RoutedTransport, 5 rounds, rank 64": (RoutedTransport, {"n_rounds": 5, "rank": 64}),
    "CodedTransport, 2048 bits, 1.75": (CodedTransport, {"n_bits": 2048, "scale": 1.75}),
}
UNSEEDED = ("raw", "LEACE")
WHOLE = ("raw", "RoutedTransport", "CodedTransport, 2048 bits, 1.75")
ERASED = (("gender",), ("gender", "young"))
PARTS = 3


@dataclass(frozen=True)
class Backbone:
    """One network's embeddings, its rows dealt to parts."""

    name: str
    table: EmbeddingTable
    part: np.ndarray

    @property
    def split(self) -> Split:
        """Rows that train attackers and rows that are attacked."""
        train, test = (np.flatnonzero(self.part == k) for k in (1, 2))
        return Split(train, test, self.table.labels("subject"))

    def fit(self, method: str, erased: Sequence[str], seed: int) -> FittedMap:
        """Fit a method on the first part."""
        rows = self.table.take(self.part == 0)
        estimator, parameters = METHODS[method]
        eraser = estimator(**parameters, random_state=seed)
        sensitive = {name: rows.column(name) for name in erased}
        fitted = eraser.fit(rows.vectors, rows.column("subject"), sensitive=sensitive)
        return fitted.model_.map  # type: ignore[no-any-return]

    def verification(self, phi: FittedMap) -> tuple[float, float]:
        """Accuracy, and true accepts at FMR 1e-2, on pairs of the last part."""
        rows = self.table.take(self.part == 2)
        pairs = draw_pairs(rows.labels("subject"))
        found = verify(phi(rows.vectors), pairs, n_bootstrap=0, fmr_targets=(1e-2,))
        return found.accuracy.value, found.tar_at_far(1e-2).value

    def describe(self) -> None:
        """Print how the embeddings of the first part lie."""
        rows = self.table.take(self.part == 0)
        pairs = draw_pairs(rows.labels("subject"))
        cosines = np.sum(rows.vectors[pairs.left] * rows.vectors[pairs.right], axis=1)
        means = [cosines[pairs.same == same].mean() for same in (True, False)]
        print(
            f"{self.name}: length of the mean {np.linalg.norm(rows.vectors.mean(axis=0)):.3f}, "
            f"mean cosine of genuine pairs {means[0]:.3f}, of impostors {means[1]:.3f}"
        )


def strongest(result: AuditResult, side: str) -> list[str]:
    """Balanced accuracy of the strongest attacker on each attribute, with its interval."""
    batteries = (getattr(one, side) for one in result.attributes if one.name in ERASED[-1])
    found = [battery.strongest for battery in batteries]
    return [
        f"{100 * s.balanced_accuracy:.1f} [{100 * s.low:.1f}, {100 * s.high:.1f}]" for s in found
    ]


def print_quick(backbone: Backbone, method: str, erased: Sequence[str], seed: int) -> None:
    """Print one line: the quick audit's strongest attacker, and verification."""
    phi = backbone.fit(method, erased, seed)
    attributes = backbone.table.attributes(erased)
    result = quick_audit(
        phi(backbone.table.vectors), None, attributes, split=backbone.split, random_state=seed
    )
    kept = [f"{100 * value:.2f}" for value in backbone.verification(phi)]
    read = strongest(result, "before")
    read += ["-"] * (len(ERASED[-1]) - len(read))
    cells = [backbone.name, " x ".join(erased), method, str(seed), *read, *kept]
    print(f"| {' | '.join(cells)} |", flush=True)


def print_whole(backbone: Backbone, method: str) -> None:
    """Print one line: the whole audit's strongest attacker on gender, after inversion too."""
    phi = backbone.fit(method, ("gender",), 0)
    result = audit(
        backbone.table,
        backbone.table.with_vectors(phi(backbone.table.vectors)),
        backbone.table.attributes(("gender",)),
        split=backbone.split,
        phi=phi,
        curves=False,
    )
    battery = result.attributes[0].after
    assert battery is not None
    by = f"{battery.strongest.attacker}, {battery.strongest.preparation}"
    cells = [*strongest(result, "after"), by, *strongest(result, "inverted")]
    print(f"| {backbone.name} | {method} | {' | '.join(cells)} |", flush=True)


def print_quick_audits(backbones: Sequence[Backbone], methods: Sequence[str], seeds: int) -> None:
    """Print a line an attribute set, method, seed and network."""
    print("| network | erased | method | seed | gender | young | accuracy | TAR at FMR 1e-2 |")
    print(f"|{'---|' * 8}")
    for erased in ERASED:
        for method in methods:
            for seed in range(1 if method in UNSEEDED else seeds):
                for backbone in backbones:
                    print_quick(backbone, method, erased, seed)


def print_whole_audits(backbones: Sequence[Backbone], methods: Sequence[str]) -> None:
    """Print a line a method and network."""
    print("| network | method | gender | strongest | gender, inverted |\n|---|---|---|---|---|")
    for method in methods:
        for backbone in backbones:
            print_whole(backbone, method)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path, help="CelebA by dlib")
    parser.add_argument("--method", choices=METHODS, action="append")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--whole", action="store_true", help="the whole audit, on gender")
    arguments = parser.parse_args()
    first = read_table(Path(os.environ["SENSITIVENETS_DATA"]) / "celeba.parquet")
    subjects = first.labels("subject")
    part = np.random.default_rng(0).integers(PARTS, size=len(subjects.classes))[subjects.codes]
    second = read_table(arguments.table)
    backbones = [Backbone("MobileFaceNet", first, part), Backbone("dlib", second, part)]
    for backbone in backbones:
        backbone.describe()
    if arguments.whole:
        print_whole_audits(backbones, arguments.method or WHOLE)
    else:
        print_quick_audits(backbones, arguments.method or list(METHODS), arguments.seeds)


if __name__ == "__main__":
    main()
