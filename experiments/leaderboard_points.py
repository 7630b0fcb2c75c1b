"""The two best points of every method of a quick leaderboard, as a grid for a whole one.

    python experiments/leaderboard_points.py docs/leaderboard/leaderboard.json > grid.json

Of the points that verify at least 98 % of the pairs the two that leak least; where a method has
fewer, those that verify most. Chosen on the rows that are attacked afterwards, by other attackers:
in favour of every method alike. Methods that the leaderboard lacks have their own first two.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from sensitivenets.benchmark.leaderboard import Entry, load_leaderboard
from sensitivenets.benchmark.methods import METHODS

_VERIFIES = 0.98


def rank(entry: Entry) -> tuple[bool, float]:
    """Order the points of a method, the best first."""
    kept = entry.utilities[0].value
    accuracy = 0.0 if kept is None else kept.value
    return (False, entry.excess) if accuracy >= _VERIFIES else (True, -accuracy)


def main() -> None:
    """Print the grid."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("leaderboard", type=Path)
    entries = load_leaderboard(parser.parse_args().leaderboard).entries
    grid = {}
    for name, method in METHODS.items():
        points = sorted((entry for entry in entries if entry.method == name), key=rank)
        if not method.keeps_task:
            grid[name] = [dict(entry.parameters) for entry in points[:2]] or list(method.grid[:2])
    print(json.dumps(grid, indent=1))


if __name__ == "__main__":
    main()
