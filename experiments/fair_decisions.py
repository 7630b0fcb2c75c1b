"""Fair decisions beside fair representations, on Table III's biased draws of CelebA.

Reads the folder in SENSITIVENETS_DATA. Maps are fitted on half of the subjects, as for Table III
(`equality_of_opportunity.py`); on x and on phi(x) of the other half decide a support vector machine
that is not told the group, the three naive Bayes classifiers of Calders and Verwer, and fairlearn's
ThresholdOptimizer and ExponentiatedGradient. Then: discriminatory rules in what that machine says.

    python experiments/fair_decisions.py [--seeds 5] [--method routed_transport ...]
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from equality_of_opportunity import halves

from sensitivenets.benchmark.methods import METHODS
from sensitivenets.embeddings import read_table
from sensitivenets.fairness import (
    DECISIONS,
    Decided,
    RuleSearch,
    check_cells,
    compare_decisions,
    decisions_named,
    draw_biased_split,
    rules_of_answers,
)

CONTEXTS = ("young", "eyeglasses", "wearing_hat", "attractive", "chubby")


def row(target: str, one: Decided) -> str:
    """Write one line of the table of decisions."""
    rates = one.rates
    values = (rates.accuracy, rates.tpr_favoured, rates.tpr_other, rates.gap, one.selection_gap)
    cells = (f"{100 * v.value:.1f} [{100 * v.low:.1f}, {100 * v.high:.1f}]" for v in values)
    told = "yes" if one.asks_group else "no"
    return f"| {target}, {one.name}, {one.representation} | {told} | {' | '.join(cells)} |"


def print_rules(target: str, side: str, search: RuleSearch) -> None:
    """Print the surest rules of one representation."""
    found = search.certain()
    print(f"\n{target}, {side}: {len(found)} of {len(search.rules)} contexts\n")
    print("| context | rows | confidence | of everybody there | extended lift |")
    print("|---|---|---|---|---|")
    for rule in found[:4]:
        print(
            f"| {' and '.join(rule.context) or 'everybody'} | {rule.n_group} | "
            f"{100 * rule.confidence:.1f} | {100 * rule.base_confidence:.1f} | "
            f"{rule.extended_lift:.2f} [{rule.low:.2f}, {rule.high:.2f}] |"
        )


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--method", choices=METHODS, action="append")
    arguments = parser.parse_args()
    fit, held = halves(read_table(Path(os.environ["SENSITIVENETS_DATA"]) / "celeba.parquet"))
    representations = {"x": held.vectors}
    for name in arguments.method or ["routed_transport"]:
        eraser = METHODS[name].load()(random_state=0)
        eraser.fit(fit.vectors, sensitive={"gender": fit.column("gender")})
        representations[name] = eraser.transform(held.vectors)
    print("| | told the group | accuracy | TPR Female | TPR Male | gap | chosen more |")
    print("|---|---|---|---|---|---|---|")
    searches = {}
    for target in ("attractive", "smiling"):
        labels = (held.labels(target), held.labels("gender"), held.labels("subject").codes)
        cells = check_cells(*labels, None, "Female")
        splits = [draw_biased_split(cells, seed) for seed in range(arguments.seeds)]
        for of, vectors in representations.items():
            for name, decision in decisions_named([*DECISIONS]).items():
                (one,) = compare_decisions({of: vectors}, cells, splits, {name: decision})
                print(row(target, one), flush=True)
            contexts = {name: held.labels(name) for name in CONTEXTS if name != target}
            searches[target, of] = rules_of_answers(vectors, cells, splits, contexts)
    for (target, of), search in searches.items():
        print_rules(target, of, search)


if __name__ == "__main__":
    main()
