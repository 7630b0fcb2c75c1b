"""The privacy-utility plane: leakage never without utility, nor utility without leakage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from sensitivenets.intervals import Estimate
from sensitivenets.plots.style import INK, SERIES, drawing, legend_below, percent_axis, shortened


@dataclass(frozen=True)
class PlanePoint:
    """One representation in the plane.

    Attributes
    ----------
    label : str
        Written beside the point: a method, or "before" and "after".
    utility : Estimate
        What was kept, such as verification accuracy; higher is better.
    leakage : Estimate
        Balanced accuracy of the strongest attacker; lower is better.
    series : str
        Points of one series share a colour: a method, or an attribute.
    """

    label: str
    utility: Estimate
    leakage: Estimate
    series: str = ""


def plot_plane(
    points: Sequence[PlanePoint],
    *,
    chance: float | None = None,
    utility: str = "verification accuracy",
    leakage: str = "strongest attacker, balanced accuracy",
    ax: Axes | None = None,
) -> Axes:
    """Draw what still leaks against what was kept.

    Parameters
    ----------
    points : sequence of PlanePoint
        One for each representation.
    chance : float, optional
        Leakage of a guess, drawn as a dashed line.
    utility, leakage : str
        What the axes show.
    ax : matplotlib Axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    Axes
        Down and right is better.
    """
    series = list(dict.fromkeys(point.series for point in points))
    with drawing(ax, (4.3, 3.5)) as ax:
        for k, name in enumerate(series):
            members = [point for point in points if point.series == name]
            colour = SERIES[k % len(SERIES)]
            ax.errorbar(
                [p.utility.value for p in members],
                [p.leakage.value for p in members],
                xerr=_whiskers([p.utility for p in members]),
                yerr=_whiskers([p.leakage for p in members]),
                fmt="o" if len(series) == 1 else "o-",
                color=colour,
                elinewidth=1.2,
                linewidth=0.8,
                markersize=5,
                label=shortened(name) or None,
            )
        for k, point in enumerate(points):
            ax.annotate(
                shortened(point.label),
                (point.utility.value, point.leakage.value),
                # Above and below in turn: two points in one place keep two labels.
                xytext=(6, 5 if k % 2 == 0 else -11),
                textcoords="offset points",
                fontsize=8.5,
            )
        if chance is not None:
            ax.axhline(chance, color=INK, linestyle=(0, (4, 3)), linewidth=1, label="a guess")
        ax.margins(x=0.18, y=0.12)
        percent_axis(ax, "x", *ax.get_xlim())
        percent_axis(ax, "y", *ax.get_ylim())
        ax.grid(visible=True)
        ax.set_xlabel(f"{utility} (right is better)")
        ax.set_ylabel(f"{leakage}\n(down is better)")
        ax.set_title("Privacy and utility")
        if ax.get_legend_handles_labels()[0]:
            legend_below(ax, ncols=3)
    return ax


def _whiskers(estimates: list[Estimate]) -> list[list[float]]:
    return [
        [max(e.value - e.low, 0.0) for e in estimates],
        [max(e.high - e.value, 0.0) for e in estimates],
    ]
