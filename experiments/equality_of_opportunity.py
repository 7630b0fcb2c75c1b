"""Table III on CelebA: attractive and smiling, with gender removed by binary cross-entropy.

Reads the folder in SENSITIVENETS_DATA. phi is fitted on half of the subjects; the biased training
sets and the balanced test sets are drawn from the other half, split by subject again. Other methods
are told the target as the label to keep; those of no label take none.

    python experiments/equality_of_opportunity.py [--seeds 5] [--method lnl ...]
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path

import numpy as np

from sensitivenets.benchmark.methods import METHODS, Method
from sensitivenets.embeddings import EmbeddingTable, read_table
from sensitivenets.errors import CollapseWarning
from sensitivenets.fairness import EqualityOfOpportunity, equality_of_opportunity
from sensitivenets.fairness.results import RateSummary

PAPER = "sensitivenet"


def halves(table: EmbeddingTable) -> tuple[EmbeddingTable, EmbeddingTable]:
    """Split by subject, by one seed."""
    subject = table.labels("subject").codes
    everyone = np.random.default_rng(0).permutation(subject.max() + 1)
    first = np.isin(subject, everyone[: len(everyone) // 2])
    return table.take(first), table.take(~first)


def measure(
    name: str, fit: EmbeddingTable, held: EmbeddingTable, target: str, seeds: int
) -> EqualityOfOpportunity:
    """Fit phi for one target and compare x with phi(x)."""
    method: Method = METHODS[name]
    net = method.load()(**({"loss": "bce"} if name == PAPER else {}), random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)  # a task of two classes needs little rank
        net.fit(fit.vectors, fit.column(target), sensitive={"gender": fit.column("gender")})
    return equality_of_opportunity(
        held.vectors,
        net.transform(held.vectors),
        held.labels(target),
        held.labels("gender"),
        held.labels("subject").codes,
        seeds=range(seeds),
        favoured="Female",
    )


def row(name: str, rates: RateSummary) -> str:
    """Write one line of the table."""
    values = (rates.accuracy, rates.tpr_favoured, rates.tpr_other, rates.gap, rates.absolute_gap)
    cells = (f"{100 * v.value:.1f} [{100 * v.low:.1f}, {100 * v.high:.1f}]" for v in values)
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--method", choices=METHODS, action="append")
    arguments = parser.parse_args()
    fit, held = halves(read_table(Path(os.environ["SENSITIVENETS_DATA"]) / "celeba.parquet"))
    print("| | accuracy | TPR Female | TPR Male | gap | absolute gap |")
    print("|---|---|---|---|---|---|")
    for target in ("attractive", "smiling"):
        for k, name in enumerate(arguments.method or [PAPER]):
            result = measure(name, fit, held, target, arguments.seeds)
            if k == 0:
                print(row(f"{target}, x", result.before))
            print(row(f"{target}, {name}", result.after), flush=True)
        run = result.runs[0]
        print(f"<!-- {target}: {run.n_train} training, {run.n_test} test rows a draw -->")


if __name__ == "__main__":
    main()
