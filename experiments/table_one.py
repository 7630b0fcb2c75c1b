"""Table I on real faces: the paper's method as printed, as it comes, and at two other points.

Reads the folder in SENSITIVENETS_DATA: triplets from CelebA, detectors from FairFace fit rows,
attackers from attack_train tested on attack_test, verification on LFW view 2 (and view 1, which
the paper used). The points were chosen by experiments/paper_method.py on other rows; these rows
are looked at once.

    python experiments/table_one.py [--jobs 2] [--seeds 3]
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sensitivenets.audit import AuditResult, quick_audit, split_by_column
from sensitivenets.embeddings import EmbeddingTable, read_table
from sensitivenets.errors import CollapseWarning
from sensitivenets.sensitivenet.estimator import SensitiveNet
from sensitivenets.verification import read_pairs, verify

ATTRIBUTES = ("gender", "ethnicity")
POINTS: dict[str, dict[str, Any]] = {
    "as printed (no hinge)": {"target": 0.9, "remine": False, "hinge": False},
    "as printed, hinge": {"target": 0.9, "remine": False},
    "defaults": {},
    "defaults, 1 layer": {"n_layers": 1},
    "defaults, 32 units": {"n_units": 32},
}


def read_data(folder: Path) -> dict[str, EmbeddingTable]:
    """Read the tables, the attackers' rows of FairFace apart from the fit rows."""
    faces = read_table(folder / "fairface.parquet")
    return {
        "triplets": read_table(folder / "celeba.parquet"),
        "detectors": faces.where("split", "fit"),
        "attack": faces.take(
            faces.labels("split").codes != faces.labels("split").classes.index("fit")
        ),
        "lfw": read_table(folder / "lfw.parquet"),
    }


def fit(data: dict[str, EmbeddingTable], parameters: dict[str, Any], seed: int) -> SensitiveNet:
    """Fit on everything that may be fitted on."""
    detectors = data["detectors"]
    sensitive = {name: detectors.column(name) for name in ATTRIBUTES}
    net = SensitiveNet(**parameters, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)  # the table shows it
        return net.fit(
            data["triplets"].vectors,
            data["triplets"].column("subject"),
            detector=(detectors.vectors, sensitive),
        )


def attack(data: dict[str, EmbeddingTable], net: SensitiveNet, jobs: int) -> AuditResult:
    """Run the three attackers of Table I before and after."""
    table = data["attack"]
    return quick_audit(
        table,
        table.with_vectors(net.transform(table.vectors)),
        {name: table.labels(name) for name in ATTRIBUTES},
        split=split_by_column(table.labels("split"), "attack_train", "attack_test"),
        n_jobs=jobs,
    )


def main() -> None:
    """Print one row for each point and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", choices=POINTS, action="append")
    arguments = parser.parse_args()
    folder = Path(os.environ["SENSITIVENETS_DATA"])
    data = read_data(folder)
    pairs = {
        "view 1": read_pairs(folder / "lfw_pairs.parquet", protocol="view1_test"),
        "view 2": read_pairs(folder / "lfw_pairs.parquet", protocol="view2"),
    }
    table = Table("point", "seed", *pairs, "attribute", "attacker", "before", "after", "reduction")
    for name in arguments.only or POINTS:
        parameters = POINTS[name]
        for seed in range(arguments.seeds):
            net = fit(data, parameters, seed)
            agnostic = net.transform(data["lfw"].vectors)
            kept = [
                f"{100 * verify(agnostic, p, n_bootstrap=0).accuracy.estimate.value:.2f}"
                for p in pairs.values()
            ]
            result = attack(data, net, arguments.jobs)
            Console(stderr=True).print(f"{name}, seed {seed}: LFW {', '.join(kept)}")
            for attribute in result.attributes:
                before = {a.attacker: a for a in attribute.before.attackers}
                for after in attribute.after.attackers:
                    if after.preparation == "none":
                        continue
                    a, b = before[after.attacker].balanced_accuracy, after.balanced_accuracy
                    reduction = (a - b) / (a - attribute.chance)
                    table.add_row(
                        name,
                        str(seed),
                        *kept,
                        attribute.name,
                        after.attacker,
                        f"{100 * a:.1f}",
                        f"{100 * b:.1f}",
                        f"{100 * reduction:.1f}",
                    )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
