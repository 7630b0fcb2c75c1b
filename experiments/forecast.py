"""The forecast for people who come later, against what is read of them, at four sizes.

    SENSITIVENETS_DATA=data OMP_NUM_THREADS=1 python experiments/forecast.py [--out docs/images]

A model of FairFace `fit` is adapted to 1 000 rows of a table, then to more, up to those of 60 % of
its people. The other people are mapped, and discriminant analyses and nearest neighbours (as in
adaptation.py, either sign) are trained on 60 % of them and tested on the rest. The forecast is for
a Gaussian attacker of as many labels; it needs no label. Prints a table, draws `forecast.png`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from adaptation import (
    Int64,
    Protected,
    neighbour_scores,
    quadratic_scores,
    split_of,
    tables,
    whitened,
)

from sensitivenets.erasers.transport.adapt import adapt
from sensitivenets.erasers.transport.forecast import forecast
from sensitivenets.maps.base import Model

_REMOVE = ("gender", "ethnicity")
_SIZES = (1000, 2000, 4000)
_COLOURS = {"FairFace": "tab:blue", "LFW": "tab:orange", "CelebA": "tab:green"}
_MARKERS = {"gender": "o", "ethnicity": "s"}


@dataclass(frozen=True)
class Reading:
    """What is read of new people once a model was adapted to so many rows, in percent."""

    table: str
    attribute: str
    rows: int
    forecast: float
    unlimited: float
    quadratic: float
    neighbours: float


def readings(model: Model, name: str, table: Protected) -> Iterator[Reading]:
    """Adapt to more and more rows of a table, and read the people who are not among them."""
    now, then = table.splits(1)
    people = np.arange(len(table.X)) if table.subjects is None else table.subjects
    rows = split_of(np.unique(people[then], return_inverse=True)[1], 0)
    for size in (*_SIZES, len(now)):
        part = some_people(now, people, size)
        known = None if table.subjects is None else table.subjects[part]
        found = adapt(model, table.X[part], subjects=known)
        Z = found.map(table.X[then])
        for number, attribute in enumerate(model.removed):
            if attribute not in table.labels:
                continue
            grid = np.indices([len(classes) for classes in model.removed.values()])
            limited, unlimited = (
                100
                * forecast(
                    np.array(found.rows),
                    Z.shape[1],
                    np.array(found.error),
                    noise=np.array(found.noise),
                    classes=grid[number].ravel(),
                    labels=labels,
                ).accuracy
                for labels in (len(rows[0]), None)
            )
            read = strongest_of_each(Z, rows, table.labels[attribute][then])
            yield Reading(name, attribute, len(part), limited, unlimited, *read)


def some_people(rows: Int64, people: Int64, size: int) -> Int64:
    """Take people at random until they have so many rows."""
    order = np.random.default_rng(0).permutation(int(people.max()) + 1)
    ranked = rows[np.argsort(order[people[rows]], kind="stable")]
    return np.sort(ranked[:size])


def strongest_of_each(
    Z: np.ndarray, rows: tuple[Int64, Int64], known: Int64
) -> tuple[float, float]:
    """Most that discriminant analyses read, and most that neighbours do, of either sign."""
    train, test = rows
    truth = known[test]
    found = (
        quadratic_scores(whitened(Z, train), train, test, known),
        neighbour_scores(Z, train, test, known),
    )
    quadratic, neighbours = (
        max(
            float(np.mean([np.mean(guess[truth == c] == c) for c in range(known.max() + 1)]))
            for one in scores
            for guess in (one.argmax(axis=1), one.argmin(axis=1))
        )
        for scores in found
    )
    return 100 * quadratic, 100 * neighbours


def draw(found: list[Reading], path: Path) -> None:
    """Draw what was read over what was forecast; open marks are neighbours."""
    figure, axes = plt.subplots(figsize=(6, 5.4), layout="constrained")
    for one in found:
        colour, marker = _COLOURS[one.table], _MARKERS[one.attribute]
        size = 18 + one.rows / 80
        axes.scatter(one.forecast, one.quadratic, size, colour, marker)
        axes.scatter(one.forecast, one.neighbours, size, "none", marker, edgecolors=colour)
    low, high = 33, 100
    axes.plot([low, high], [low, high], color="0.5", lw=1)
    axes.fill_between([low, high], [low - 3, high - 3], [low + 3, high + 3], color="0.9", zorder=0)
    axes.set(
        xlabel="forecast for as many labels, balanced accuracy in %",
        ylabel="read of people who came later, %",
        xlim=(low, high),
        ylim=(low, high),
    )
    for name, colour in _COLOURS.items():
        axes.scatter([], [], 40, colour, label=name)
    for name, marker in _MARKERS.items():
        axes.scatter([], [], 40, "0.3", marker, label=name)
    axes.scatter([], [], 40, "none", edgecolors="0.3", label="nearest neighbours")
    axes.scatter([], [], 40, "0.3", label="discriminant analyses")
    axes.legend(frameon=False, title="larger marks: adapted to more rows", loc="upper left")
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main() -> None:
    """Run, one line a size and attribute."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    out = parser.parse_args().out
    model, found = tables(Path(os.environ["SENSITIVENETS_DATA"]), _REMOVE)
    read = [one for name, table in found.items() for one in readings(model, name, table)]
    print("| table | attribute | rows | forecast | unlimited | discriminant | neighbours |")
    print("|---|---|---|---|---|---|---|")
    for one in read:
        print(
            f"| {one.table} | {one.attribute} | {one.rows} | {one.forecast:.0f} | "
            f"{one.unlimited:.0f} | {one.quadratic:.1f} | {one.neighbours:.1f} |"
        )
    draw(read, out / "forecast.png")


if __name__ == "__main__":
    main()
