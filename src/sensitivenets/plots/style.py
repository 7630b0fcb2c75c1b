"""One quiet style for every picture: few lines, colours that colour-blind readers tell apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

INK = "#1f2328"
MUTED = "#68707a"
GRID = "#dfe3e8"
PAPER = "#fefefe"

# Okabe and Ito (2008), without the yellow that a white page swallows.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#aa4499", "#b58900", "#56b4e9")

_RC: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.linewidth": 0.8,
    "axes.unicode_minus": True,
    "figure.facecolor": PAPER,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 1.7,
    "legend.handletextpad": 0.5,
    "legend.columnspacing": 1.4,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.6,
    "text.color": INK,
    "text.parse_math": False,  # names are user input: a "$" in one is a dollar
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
}


@contextmanager
def drawing(ax: Axes | None, size: tuple[float, float] = (4.3, 3.1)) -> Iterator[Axes]:
    """Yield the given axes, or those of a new figure, with the style in force for the block.

    Parameters
    ----------
    ax : matplotlib Axes or None
        Where to draw.
    size : tuple of float
        Width and height in inches of a new figure.

    Yields
    ------
    Axes
        To draw on. A new figure belongs to no window and no pyplot state; it is ``ax.figure``.
    """
    with mpl.rc_context(_RC):
        yield ax if ax is not None else Figure(size, layout="constrained").subplots()


def panels(figure: Figure, n_panels: int) -> tuple[Axes, ...]:
    """Make axes side by side: frame and grid are styled when axes are made, not when drawn on."""
    with mpl.rc_context(_RC):
        return tuple(figure.subplots(1, n_panels, squeeze=False)[0])


def shortened(name: str, limit: int = 32) -> str:
    """Cut a name that would push the picture off its page."""
    return name if len(name) <= limit else name[: limit - 1] + "…"


def figure_of(ax: Axes) -> Figure:
    """Return the figure that holds the axes."""
    return cast(Figure, ax.get_figure(root=True))


def legend_below(ax: Axes, ncols: int, marker_scale: float = 1.0) -> None:
    """Put the legend under a picture of its own; inside axes that share their figure.

    Parameters
    ----------
    ax : Axes
        With labelled artists.
    ncols : int
        Columns of the legend, fewer where the names are too long.
    marker_scale : float, default=1.0
        How much larger than in the picture to show markers.
    """
    figure = figure_of(ax)
    handles, labels = ax.get_legend_handles_labels()
    # A column is its marker and gap, a third of an inch, and its longest text in 8.5 pt.
    column = 0.35 + 0.062 * max(map(len, labels), default=0)
    ncols = max(1, min(ncols, int(figure.get_figwidth() / column)))
    if len(figure.axes) == 1 and isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine):
        figure.legend(
            handles, labels, loc="outside lower center", ncols=ncols, markerscale=marker_scale
        )
    else:
        ax.legend(handles, labels, markerscale=marker_scale)


def _percent(fraction: float, _: int) -> str:
    # As many decimals as the tick has: 97.5 beside 98 on a short axis.
    return f"{round(100 * fraction, 2) + 0.0:g} %"


def percent_axis(ax: Axes, axis: str, low: float, high: float) -> None:
    """Show fractions as percent, with grid lines, between two fractions."""
    ticks = ax.xaxis if axis == "x" else ax.yaxis
    ticks.set_major_formatter(mpl.ticker.FuncFormatter(_percent))
    ticks.set_major_locator(mpl.ticker.MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
    ax.grid(visible=True, axis="x" if axis == "x" else "y")
    if axis == "x":
        ax.set_xlim(low, high)
    else:
        ax.set_ylim(low, high)


def _thousands(value: float, _: int) -> str:
    return f"{value:,.0f}".replace(",", " ")


def labels_axis(ax: Axes) -> None:
    """Let the abscissa be how many labelled rows an attacker learned from, logarithmic."""
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(_thousands))
    ax.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    ax.set_xlabel("labelled rows the attacker learned from")


def guess_in_legend(ax: Axes) -> None:
    """Say in the legend what the dotted lines are."""
    ax.plot([], [], color=MUTED, linestyle=":", linewidth=1.2, label="a guess")
