"""The picture of the README: what `protect` leaves of LFW, by a reference of other people.

    SENSITIVENETS_DATA=data python experiments/protect_picture.py [--full] docs/images/protect.svg

Runs the command of the README and draws what it printed: what attackers read before and after, and
how many pairs are still told apart.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from sensitivenets.cli import main
from sensitivenets.plots.saving import save
from sensitivenets.plots.style import INK, MUTED, SERIES, drawing

CHANCE = {"gender": 0.5, "ethnicity": 1 / 3, "recognition": 0.5}
LABELS = {
    "gender": "gender is read",
    "ethnicity": "ethnicity is read",
    "recognition": "people are recognised",
}


def protect(data: Path, out: Path, mode: str) -> dict[str, Any]:
    """Run the command and return what it says."""
    printed = io.StringIO()
    command = [
        *("protect", str(data / "lfw.parquet"), "--reference", str(data / "fairface.parquet")),
        *("--reference-where", "split=fit", "--remove", "gender", "--remove", "ethnicity"),
        *("--identity", "subject", "--out", str(out), "--json", mode),
    ]
    with redirect_stdout(printed):
        code = main(command)
    assert code == 0, printed.getvalue()
    found: dict[str, Any] = json.loads(printed.getvalue())
    return found


def draw(found: dict[str, Any]) -> Figure:
    """Draw a line for each question, from before to after."""
    rows = {**found["attributes"], "recognition": found["recognition"]}
    with drawing(None, (7.0, 2.1)) as ax:
        for place, (name, read) in enumerate(reversed(rows.items())):
            before, after = 100 * read["before"], 100 * read["after"]
            colour = SERIES[2] if name == "recognition" else SERIES[1]
            ax.plot([before, after], [place, place], color=colour, linewidth=3, alpha=0.35)
            ax.plot(before, place, "o", markersize=9, markerfacecolor="none", color=MUTED)
            ax.plot(after, place, "o", markersize=9, color=colour)
            ax.plot(100 * CHANCE[name], place, "|", markersize=22, color=INK)
            for value, away, side, tone in (
                (before, 9, "left", MUTED),
                (after, -9, "right", colour),
            ):
                ax.annotate(
                    f"{value:.0f} %",
                    (value, place),
                    (away, 0),
                    textcoords="offset points",
                    ha=side,
                    va="center",
                    color=tone,
                )
        ax.set_yticks(range(len(rows)), [LABELS[name] for name in reversed(rows)])
        ax.set_ylim(-0.6, len(rows) - 0.3)
        ax.set_xlim(22, 108)
        ax.set_xlabel("of 100 cases: before (ring), after (dot); a guess (bar)")
        ax.grid(visible=False)
        figure = ax.get_figure()
    assert isinstance(figure, Figure)
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        said = protect(
            Path(os.environ["SENSITIVENETS_DATA"]),
            Path(folder) / "protected",
            "--full" if options.full else "--quick",
        )
    print(json.dumps({key: said[key] for key in ("attributes", "recognition")}, indent=1))
    save(draw(said), options.picture)
