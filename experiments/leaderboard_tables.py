"""A benchmark's folder as Markdown: the leaderboard, and the paper's Table I for some entries.

    python experiments/leaderboard_tables.py OUT [--table-one LABEL ...]

OUT is what `sensitivenets benchmark --out` wrote, of quick audits or whole ones. Figures are
percentages, of one seed or the mean over seeds; reduction is (before - after) / (before - random),
as the paper has it.
"""

from __future__ import annotations

import argparse
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


def leaderboard(board: Leaderboard) -> list[str]:
    """Write one line an entry, the least read first."""
    names = [*board.attributes, *board.utilities]
    lines = [f"| | {' | '.join(names)} | fit, s | rows/s |", "|---" * (len(names) + 3) + "|"]
    for entry in board.entries:
        cells = [
            f"{percent(a.leakage.value)} [{percent(a.leakage.low)}, {percent(a.leakage.high)}]"
            for a in entry.attributes
        ]
        cells += ["" if u.value is None else f"{100 * u.value.value:.2f}" for u in entry.utilities]
        cells += [f"{entry.fit_seconds:.1f}", f"{entry.transform_rows_per_second:,.0f}"]
        lines.append(f"| {entry.label} | {' | '.join(cells)} |")
    return lines


def table_one(before: Entry, after: Entry) -> list[str]:
    """Write Table I: recognition, then each attacker's reading of each attribute."""
    kept = [entry.utilities[0].value for entry in (before, after)]
    known = [value.value for value in kept if value is not None]
    lines = [f"| {after.label} | before | after | reduction | random |", "|---|---|---|---|---|"]
    rows = [("recognition", known[0], known[1], _RANDOM_VERIFICATION)]
    for short, long in TABLE_ONE.items():
        for first, second in zip(before.attributes, after.attributes, strict=True):
            read = [
                next(s.leakage for s in side.attackers if s.attacker in (short, long))
                for side in (first, second)
            ]
            values = [estimate.value for estimate in read if estimate is not None]
            rows.append((f"{short}, {first.name}", values[0], values[1], first.chance))
    for first, second in zip(before.attributes, after.attributes, strict=True):
        read = [first.leakage, second.leakage]
        rows.append((f"strongest, {first.name}", read[0].value, read[1].value, first.chance))
    for name, was, is_now, random in rows:
        cells = [percent(was), percent(is_now), reduction(was, is_now, random), percent(random)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--table-one", action="append", default=[])
    arguments = parser.parse_args()
    board = load_leaderboard(arguments.out / "leaderboard.json")
    print("\n".join(leaderboard(board)))
    for label in arguments.table_one:
        print("\n" + "\n".join(table_one(board.entry(UNCHANGED), board.entry(label))))


if __name__ == "__main__":
    main()
