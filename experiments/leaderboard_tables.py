"""A benchmark's folder as Markdown: the leaderboard, and the paper's Table I for some entries.

    python experiments/leaderboard_tables.py OUT [--table-one LABEL ...]

OUT is what `sensitivenets benchmark --out` wrote, of quick audits or whole ones. Figures are
percentages, of one seed or the mean over seeds; reduction is (before - after) / (before - random),
as the paper has it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from sensitivenets.benchmark.leaderboard import Entry, Leaderboard, load_leaderboard
from sensitivenets.benchmark.plan import UNCHANGED

# As the paper calls them: their names in a quick audit, and in a whole one.
TABLE_ONE = {"NN": "MLP", "SVM": "RBF-SVM", "RF": "random forest"}
_RANDOM_VERIFICATION = 0.5


def percent(value: float | None) -> str:
    """Write a share."""
    return "" if value is None else f"{100 * value:.1f}"


def reduction(before: float, after: float, random: float) -> str:
    """Write the share of what stood above chance that is gone."""
    return percent((before - after) / (before - random))


def row(cells: Sequence[str]) -> str:
    """Write one line of a table."""
    return f"| {' | '.join(cells)} |"


def leaderboard(board: Leaderboard) -> list[str]:
    """Write one line an entry, the least read first."""
    names = ["", *board.attributes, *board.utilities, "fit, s", "rows/s"]
    lines = [row(names), "|---" * len(names) + "|"]
    for entry in board.entries:
        seeds = f" ({len(entry.seeds)} seeds)" if len(entry.seeds) > 1 else ""
        cells = [
            f"{percent(a.leakage.value)} [{percent(a.leakage.low)}, {percent(a.leakage.high)}]"
            for a in entry.attributes
        ]
        cells += ["" if u.value is None else f"{100 * u.value.value:.2f}" for u in entry.utilities]
        cells += [f"{entry.fit_seconds:.1f}", f"{entry.transform_rows_per_second:,.0f}"]
        lines.append(row([f"{entry.label}{seeds}", *cells]))
    return lines


def table_one(before: Entry, after: Sequence[Entry]) -> list[str]:
    """Write Table I: recognition, then each attacker's reading of each attribute, before and after.

    After, with the reduction in brackets, one column an entry.
    """
    head = ["after (reduction)", "before", *(entry.label for entry in after)]
    lines = [row(head), "|---" * len(head) + "|"]
    figures = [list(_figures(entry)) for entry in (before, *after)]
    for (name, was, random), *others in zip(*figures, strict=True):
        cells = [f"{percent(now)} ({reduction(was, now, random)})" for _, now, _ in others]
        lines.append(row([name, percent(was), *cells]))
    return lines


def _figures(entry: Entry) -> Iterator[tuple[str, float, float]]:
    """Yield the name of each row of Table I, its figure, and a guess."""
    kept = entry.utilities[0].value
    assert kept is not None
    yield "recognition", kept.value, _RANDOM_VERIFICATION
    for short, long in TABLE_ONE.items():
        for attribute in entry.attributes:
            found = [s.leakage for s in attribute.attackers if s.attacker in (short, long)]
            value = next(estimate.value for estimate in found if estimate is not None)
            yield f"{short}, {attribute.name}", value, attribute.chance
    for attribute in entry.attributes:
        yield f"strongest, {attribute.name}", attribute.leakage.value, attribute.chance


def main() -> None:
    """Print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--table-one", action="append", default=[], metavar="LABEL")
    arguments = parser.parse_args()
    board = load_leaderboard(arguments.out / "leaderboard.json")
    print("\n".join(leaderboard(board)))
    if arguments.table_one:
        after = [board.entry(label) for label in arguments.table_one]
        print("\n" + "\n".join(table_one(board.entry(UNCHANGED), after)))


if __name__ == "__main__":
    main()
