"""What is certified: bounds on any attacker of coarse outputs, and attackers with more labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.ticker as mticker
import numpy as np
from matplotlib.axes import Axes

from sensitivenets.audit.certificates.finite_outputs import FiniteBound
from sensitivenets.audit.certificates.label_forecast import LabelForecast
from sensitivenets.plots.style import (
    MUTED,
    PAPER,
    SERIES,
    drawing,
    guess_in_legend,
    labels_axis,
    legend_below,
    percent_axis,
    shortened,
)

_LINES = {"first bits": "-", "clusters": "-", "buckets": "--"}


def plot_finite_bounds(bounds: Mapping[str, Sequence[FiniteBound]], ax: Axes | None = None) -> Axes:
    """Draw the bound on any attacker against the number of values an output has.

    Parameters
    ----------
    bounds : mapping of str to sequence of FiniteBound
        By attribute.
    ax : matplotlib Axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    Axes
        With a logarithmic abscissa, and the false match rate of the outputs in grey.
    """
    with drawing(ax) as ax:
        ax.set_xscale("log", base=2)
        for colour, (name, found) in zip(SERIES, bounds.items(), strict=False):
            for output in dict.fromkeys(one.output for one in found):
                own = [one for one in found if one.output == output]
                ax.plot(
                    [one.n_cells for one in own],
                    [one.bound for one in own],
                    linestyle=_LINES[output],
                    marker="o",
                    markersize=4,
                    markerfacecolor=colour if output != "buckets" else PAPER,
                    color=colour,
                    label=f"{shortened(name)}, {output}",
                )
            ax.axhline(found[0].chance, color=colour, linestyle=":", linewidth=1.2)
        guess_in_legend(ax)
        _draw_false_matches(ax, next(iter(bounds.values())))
        ax.xaxis.set_major_formatter(mticker.FuncFormatter(lambda value, _: f"{value:g}"))
        percent_axis(ax, "y", 0.0, 1.02)
        ax.set_xlabel("values an output has")
        ax.set_ylabel("balanced accuracy")
        ax.set_title("No attacker reads more")
        legend_below(ax, ncols=2)
    return ax


def _draw_false_matches(ax: Axes, found: Sequence[FiniteBound]) -> None:
    """Draw the false match rates of the output with most values; they are those of all rows."""
    output = max(found, key=lambda one: one.n_cells).output
    own = [one for one in found if one.output == output]
    ax.plot(
        [one.n_cells for one in own],
        [one.false_match_rate for one in own],
        color=MUTED,
        linewidth=1.2,
        marker="s",
        markersize=3,
        label=f"false match rate, {output}",
    )


def plot_label_forecasts(forecasts: Mapping[str, LabelForecast], ax: Axes | None = None) -> Axes:
    """Draw learning curves and what lies beyond them.

    Parameters
    ----------
    forecasts : mapping of str to LabelForecast
        By attribute.
    ax : matplotlib Axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    Axes
        With a logarithmic abscissa; bars are bands of 90 of 100.
    """
    with drawing(ax) as ax:
        labels_axis(ax)
        for colour, (name, one) in zip(SERIES, forecasts.items(), strict=False):
            x = [point.labels for point in one.measured]
            y = [point.balanced_accuracy for point in one.measured]
            ax.fill_between(
                x,
                [point.low for point in one.measured],
                [point.high for point in one.measured],
                color=colour,
                alpha=0.15,
                linewidth=0,
            )
            ax.plot(x, y, marker="o", markersize=4, color=colour, label=shortened(name))
            if one.beyond:
                middle = np.array([point.balanced_accuracy for point in one.beyond])
                ends = np.array([[point.low, point.high] for point in one.beyond])
                ax.errorbar(
                    [point.labels for point in one.beyond],
                    middle,
                    np.abs(ends.T - middle),
                    color=colour,
                    marker="o",
                    markersize=4,
                    markerfacecolor=PAPER,
                    linestyle="--",
                    capsize=3,
                    label=f"{shortened(name)}, forecast",
                )
        low = min(point.low for one in forecasts.values() for point in one.measured)
        percent_axis(ax, "y", max(low - 0.05, 0.0), 1.02)
        ax.set_ylabel("balanced accuracy")
        ax.set_title("More labels than there were")
        legend_below(ax, ncols=2)
    return ax
