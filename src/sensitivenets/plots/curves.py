"""Balanced accuracy against what the attacker is given: features (Fig. 3) or labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.ticker as mticker
import numpy as np
from matplotlib.axes import Axes

from sensitivenets.audit.results import AttributeResult, Curve
from sensitivenets.plots.style import (
    PAPER,
    SERIES,
    drawing,
    guess_in_legend,
    labels_axis,
    legend_below,
    percent_axis,
    shortened,
)


def plot_removal_curve(attributes: Sequence[AttributeResult], ax: Axes | None = None) -> Axes:
    """Draw Fig. 3: accuracy of an attacker against the share of features removed.

    Parameters
    ----------
    attributes : sequence of AttributeResult
        Each with a `removal_curve` before, after, or both; the others are left out.
    ax : matplotlib Axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    Axes
        A curve that stays high says that the attribute is spread over all features.
    """
    with drawing(ax) as ax:
        for colour, attribute in zip(SERIES, attributes, strict=False):
            before, after = attribute.before, attribute.after
            _draw_pair(
                ax,
                attribute,
                before.removal_curve,
                None if after is None else after.removal_curve,
                colour,
            )
        ax.xaxis.set_major_formatter(mticker.PercentFormatter(xmax=1, decimals=0, symbol=" %"))
        ax.set_xlabel("features removed")
        ax.set_title("Attacks on fewer features")
        _finish(ax)
    return ax


def plot_learning_curve(attributes: Sequence[AttributeResult], ax: Axes | None = None) -> Axes:
    """Draw the accuracy of an attacker against the number of labelled rows it learned from.

    Parameters
    ----------
    attributes : sequence of AttributeResult
        Each with a `learning_curve` before, after, or both; the others are left out.
    ax : matplotlib Axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    Axes
        With a logarithmic abscissa. A curve that still climbs at its right end says that an
        adversary with more labels would read more than this audit did.
    """
    with drawing(ax) as ax:
        labels_axis(ax)
        for colour, attribute in zip(SERIES, attributes, strict=False):
            before, after = attribute.before, attribute.after
            _draw_pair(
                ax,
                attribute,
                before.learning_curve,
                None if after is None else after.learning_curve,
                colour,
            )
        ax.set_title("Attacks with more labels")
        _finish(ax)
    return ax


def _draw_pair(
    ax: Axes, attribute: AttributeResult, before: Curve | None, after: Curve | None, colour: str
) -> None:
    looks: Mapping[str, tuple[Curve | None, str, str]] = {
        "before": (before, "--", PAPER),
        "after": (after, "-", colour),
    }
    for label, (curve, line, face) in looks.items():
        if curve is None:
            continue
        x = [point.x for point in curve.points]
        ax.fill_between(
            x,
            [point.low for point in curve.points],
            [point.high for point in curve.points],
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
        ax.plot(
            x,
            [point.balanced_accuracy for point in curve.points],
            linestyle=line,
            marker="o",
            markersize=4,
            markerfacecolor=face,
            color=colour,
            label=f"{shortened(attribute.name)}, {label}",
        )
    if before is not None or after is not None:
        ax.axhline(attribute.chance, color=colour, linestyle=":", linewidth=1.2)


def _finish(ax: Axes) -> None:
    drawn = [np.asarray(line.get_ydata(), dtype=np.float64) for line in ax.get_lines()]
    low = min([0.5, *(float(y.min()) for y in drawn if y.size)])
    percent_axis(ax, "y", max(0.0, low - 0.05), 1.02)
    ax.set_ylabel("balanced accuracy")
    if ax.get_legend_handles_labels()[0]:
        guess_in_legend(ax)
        legend_below(ax, ncols=3)
