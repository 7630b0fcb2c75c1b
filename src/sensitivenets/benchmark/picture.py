"""The picture of a leaderboard: every point in the privacy-utility plane, and the front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from matplotlib.transforms import Bbox

from sensitivenets.benchmark.leaderboard import (
    Entry,
    Front,
    Leaderboard,
    chance_of,
    leakage_of,
    utility_of,
)
from sensitivenets.benchmark.plan import UNCHANGED
from sensitivenets.plots.style import (
    INK,
    MUTED,
    SERIES,
    drawing,
    figure_of,
    legend_below,
    percent_axis,
    shortened,
)

# Utilities above this look like this: the axis is logarithmic in what is lost.
_LEAST_LOST = 5e-4
_COARSE = (0.0, 0.2, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
_FINE = (0.7, 0.85, 0.93, 0.96, 0.97, 0.985, 0.991, 0.992, 0.993, 0.994, 0.996, 0.997)
_FEWEST_TICKS = 4
# Share of the axis that a number takes.
_TICKS_APART = 0.075
# Where a label may stand, in points from its dot: the first that is free is taken.
_PLACES = ((7, 4), (7, -10), (-7, 4), (-7, -10), (0, 9), (0, -15), (12, 14), (-12, 14))
# Pixels beside a name: closer ones read as one.
_BETWEEN_NAMES = 4


def plot_leaderboard(
    leaderboard: Leaderboard, front: Front, *, ax: Axes | None = None, label_all: bool = True
) -> Axes:
    """Draw what leaks of one attribute against what is kept, for every entry.

    Parameters
    ----------
    leaderboard : Leaderboard
        The entries.
    front : Front
        Which attribute and which utility to draw, and the entries that no other beats.
    ax : matplotlib Axes, optional
        Where to draw; a new figure unless given.
    label_all : bool, default=True
        Whether methods that are not on the front are named too, where there is room.

    Returns
    -------
    Axes
        Down and right is better. The utility is on a logarithmic axis of what is lost.
    """
    best = [leaderboard.entry(name) for name in front.labels]
    others = [e for e in leaderboard.entries if e.label not in front.labels]
    with drawing(ax, (7.2, 4.6)) as ax:
        ax.set_xscale("function", functions=(_stretched, _unstretched))
        _dots(ax, others, front, MUTED, "beaten")
        _dots(ax, best, front, SERIES[0], "front: beaten by none")
        _staircase(ax, best, front)
        unchanged = [e for e in leaderboard.entries if e.method == UNCHANGED]
        _dots(ax, unchanged, front, INK, "before any map", marker="D")
        chance = chance_of(leaderboard.entries[0], front.attribute)
        ax.axhline(chance, color=INK, linestyle=(0, (4, 3)), linewidth=1, label="a guess")
        _axes(ax, leaderboard.entries, front, chance)
        named = [*best, *(_nearest_of_each(others, best, front) if label_all else [])]
        # The sign of what was there before any map is named by the legend.
        named = [entry for entry in named if entry.method != UNCHANGED]
        _name(ax, named, leaderboard.entries, {e.label for e in best}, front)
        legend_below(ax, ncols=4)
    return ax


def _dots(
    ax: Axes, entries: Sequence[Entry], front: Front, colour: str, label: str, marker: str = "o"
) -> None:
    if not entries:
        return
    x, y = _places(entries, front)
    leakages = [leakage_of(entry, front.attribute) for entry in entries]
    drawn = ax.errorbar(
        x,
        y,
        yerr=[
            [max(e.value - e.low, 0.0) for e in leakages],
            [max(e.high - e.value, 0.0) for e in leakages],
        ],
        fmt=marker,
        color=colour,
        elinewidth=0.7,
        markersize=5,
        label=label,
    )
    # Many intervals overlap; the dots are what is compared.
    for whiskers in drawn[2]:
        whiskers.set_alpha(0.4)


def _places(entries: Sequence[Entry], front: Front) -> tuple[list[float], list[float]]:
    utilities = [utility_of(entry, front.utility) for entry in entries]
    x = [_shown(utility.value) for utility in utilities if utility is not None]
    return x, [leakage_of(entry, front.attribute).value for entry in entries]


def _staircase(ax: Axes, best: Sequence[Entry], front: Front) -> None:
    """Join the front: whoever wants a utility between two points gets the higher one."""
    x, y = _places(best, front)
    ax.step(x, y, where="post", color=SERIES[0], linewidth=0.9, alpha=0.7)


def _axes(ax: Axes, entries: Sequence[Entry], front: Front, chance: float) -> None:
    x, _ = _places(entries, front)
    low, high = _stretched(np.array([min(x), max(x)]))
    room = max(0.12 * (high - low), 0.05)
    left, right = _unstretched(np.array([low - room, high + 2 * room]))
    ax.set_xlim(max(float(left), 0.0), float(right))
    ticks = [t for t in _COARSE if left <= t <= right]
    if len(ticks) < _FEWEST_TICKS:
        ticks = _apart([t for t in (*_COARSE, *_FINE) if left <= t <= right], left, right)
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    top = max(leakage_of(entry, front.attribute).high for entry in entries)
    percent_axis(ax, "y", chance - 0.06 * (1 - chance), min(top + 0.04, 1.02))
    ax.grid(visible=True)
    ax.set_xlabel(f"{front.utility} (right is better)")
    ax.set_ylabel("strongest attacker, balanced accuracy\n(down is better)")
    ax.set_title(f"What is read of {shortened(front.attribute)}, and what is kept")


def _apart(ticks: Sequence[float], left: float, right: float) -> list[float]:
    """Leave out ticks whose numbers would run into those of an earlier one, round ones first."""
    low, high = _stretched(np.array([left, right]))
    places = dict(zip(ticks, (_stretched(np.array(ticks)) - low) / (high - low), strict=True))
    kept: list[float] = []
    for tick in ticks:
        if all(abs(places[tick] - places[other]) >= _TICKS_APART for other in kept):
            kept.append(tick)
    return sorted(kept)


def _nearest_of_each(others: Sequence[Entry], best: Sequence[Entry], front: Front) -> list[Entry]:
    """Of each method that is not on the front, the entry that leaks least."""
    on_front = {entry.method for entry in best}
    nearest: dict[str, Entry] = {}
    for entry in others:
        known = nearest.get(entry.method)
        less = known is None or (
            leakage_of(entry, front.attribute).value < leakage_of(known, front.attribute).value
        )
        if entry.method not in on_front and less:
            nearest[entry.method] = entry
    return list(nearest.values())


def _name(
    ax: Axes, entries: Sequence[Entry], drawn: Sequence[Entry], best: set[str], front: Front
) -> None:
    """Write names beside dots, where nothing else stands: the table has all of them."""
    figure = figure_of(ax)
    canvas: Any = FigureCanvasAgg(figure)
    renderer = canvas.get_renderer()
    # The layout settles when it is drawn; only then are places on the paper known.
    figure.draw_without_rendering()
    dots = [
        Bbox.from_bounds(px - 3, py - 3, 6, 6)
        for px, py in ax.transData.transform(np.column_stack(_places(drawn, front)))
    ]
    taken = list(dots)
    # The front first, and of each the least read before the rest.
    ranked = sorted(
        zip(entries, *_places(entries, front), strict=True),
        key=lambda one: (one[0].label not in best, one[2]),
    )
    for entry, x, y in ranked:
        on_front = entry.label in best
        text = ax.annotate(
            "",
            (x, y),
            xytext=_PLACES[0],
            textcoords="offset points",
            fontsize=8 if on_front else 7.5,
            color=INK if on_front else MUTED,
        )
        names = (_written(entry.label), entry.method) if on_front else (entry.method,)
        if not _placed(text, names, taken, ax.bbox, renderer):
            text.remove()


def _placed(
    text: Annotation, names: Sequence[str], taken: list[Bbox], inside: Bbox, renderer: Any
) -> bool:
    """Put the first name that fits anywhere around its dot, and remember its place."""
    for name in names:
        text.set_text(shortened(name, 80))
        for dx, dy in _PLACES:
            text.set_position((dx, dy))
            text.set_horizontalalignment("center" if dx == 0 else "left" if dx > 0 else "right")
            box = text.get_window_extent(renderer)
            fits = inside.x0 <= box.x0 and box.x1 <= inside.x1
            if fits and not any(box.overlaps(other) for other in taken):
                taken.append(box.padded(_BETWEEN_NAMES, 0))
                return True
    return False


def _written(label: str) -> str:
    """Put the settings of a method on a line of their own."""
    return "\n".join(shortened(line, 40) for line in label.replace(" (", "\n(", 1).split("\n"))


def _shown(utility: float) -> float:
    return min(utility, 1 - _LEAST_LOST)


def _stretched(utility: np.typing.ArrayLike) -> np.typing.NDArray[np.float64]:
    """Map a utility to the axis: equal steps for equal factors of what is lost."""
    lost = 1 - np.asarray(utility, dtype=np.float64)
    return np.asarray(-np.log10(np.maximum(lost, _LEAST_LOST / 2)))


def _unstretched(place: np.typing.ArrayLike) -> np.typing.NDArray[np.float64]:
    return np.asarray(
        1 - np.power(10.0, -np.minimum(np.asarray(place), -math.log10(_LEAST_LOST / 2)))
    )
