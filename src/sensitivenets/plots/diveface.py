"""What a set is made of, as a picture: sizes of the classes, images of each identity."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sensitivenets.datasets.diveface.statistics import TOTAL, ClassStatistics
from sensitivenets.plots.style import (
    INK,
    SERIES,
    drawing,
    legend_below,
    panels,
    percent_axis,
    shortened,
)


def plot_class_sizes(statistics: Sequence[ClassStatistics], ax: Axes | None = None) -> Axes:
    """Draw the images of each class as bars, with the number of identities beside them.

    Parameters
    ----------
    statistics : sequence of ClassStatistics
        From `set_statistics`; its total is not drawn.
    ax : matplotlib Axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    Axes
        One bar for each class, the first on top.
    """
    classes = [one for one in statistics if one.name != TOTAL]
    with drawing(ax, (4.3, 1.2 + 0.32 * len(classes))) as ax:
        widest = max((one.images for one in classes), default=1)
        for y, one in enumerate(classes):
            ax.barh(y, one.images, color=SERIES[y % len(SERIES)], height=0.62)
            ax.annotate(
                f"{one.identities:,} identities",
                (one.images, y),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color=INK,
            )
        ax.set_yticks(range(len(classes)), [shortened(one.name, 28) for one in classes])
        ax.tick_params(axis="y", length=0)
        ax.invert_yaxis()
        ax.spines["left"].set_visible(False)
        ax.set_xlim(0, 1.42 * widest)
        ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(nbins=5, integer=True))
        ax.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))
        ax.grid(visible=True, axis="x")
        ax.set_xlabel("images")
        ax.set_title("Size of the classes")
    return ax


def plot_images_per_identity(statistics: Sequence[ClassStatistics], ax: Axes | None = None) -> Axes:
    """Draw the share of identities with at least so many images, a line for each class.

    Parameters
    ----------
    statistics : sequence of ClassStatistics
        From `set_statistics`; its total is not drawn.
    ax : matplotlib Axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    Axes
        Images on a logarithmic axis. A line further right has more images of each identity.
    """
    classes = [one for one in statistics if one.name != TOTAL and one.identities]
    with drawing(ax) as ax:
        for k, one in enumerate(classes):
            counts, first = np.unique(one.images_per_identity, return_index=True)
            share = 1 - first / one.identities
            # Down to nothing after the identity with the most images.
            x, y = np.append(counts, counts[-1] + 1), np.append(share, 0.0)
            style = ("-", "--", ":")[k // len(SERIES) % 3]
            name = shortened(one.name, 28)
            ax.step(x, y, where="pre", color=SERIES[k % len(SERIES)], linestyle=style, label=name)
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:g}"))
        ax.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
        percent_axis(ax, "y", 0, 1.03)
        ax.set_xlabel("images of an identity, at least")
        ax.set_ylabel("identities")
        ax.set_title("Images per identity")
        if classes:
            legend_below(ax, ncols=3)
    return ax


def plot_statistics(statistics: Sequence[ClassStatistics]) -> Figure:
    """Draw both pictures side by side.

    Parameters
    ----------
    statistics : sequence of ClassStatistics
        From `set_statistics`.

    Returns
    -------
    Figure
        Class sizes on the left, images per identity on the right.
    """
    figure = Figure((9.2, max(3.3, 1.2 + 0.32 * len(statistics))), layout="constrained")
    left, right = panels(figure, 2)
    plot_class_sizes(statistics, left)
    plot_images_per_identity(statistics, right)
    return figure
