"""Table III as a picture: how far apart the true positive rates of two groups are."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from sensitivenets.fairness import EqualityOfOpportunity, RateSummary
from sensitivenets.plots.style import MUTED, SERIES, drawing, legend_below, percent_axis, shortened


def plot_opportunity(results: Sequence[EqualityOfOpportunity], ax: Axes | None = None) -> Axes:
    """Draw the true positive rates of both groups, joined by the gap between them.

    Parameters
    ----------
    results : sequence of EqualityOfOpportunity
        One for each task.
    ax : matplotlib Axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    Axes
        One row for each task, before and after. A shorter line is fairer.
    """
    rows = [(f"{shortened(r.target, 20)}, {side}", r, s) for r in results for side, s in _sides(r)]
    with drawing(ax, (4.3, 1.4 + 0.36 * len(rows))) as ax:
        for y, (_, _, summary) in enumerate(reversed(rows)):
            pair = (summary.tpr_favoured, summary.tpr_other)
            ax.plot([e.value for e in pair], [y, y], color=MUTED, linewidth=3, alpha=0.35)
            for colour, marker, offset, rate in zip(
                SERIES, "oD", (0.13, -0.13), pair, strict=False
            ):
                ax.hlines(y + offset, rate.low, rate.high, color=colour, linewidth=1.2)
                ax.plot(
                    rate.value,
                    y + offset,
                    marker=marker,
                    markersize=6,
                    color=colour,
                    linestyle="none",
                )
        for colour, marker, group in zip(SERIES, "oD", _group_names(results), strict=False):
            ax.plot([], [], linestyle="none", marker=marker, color=colour, label=group)
        ax.set_yticks(range(len(rows)), [label for label, _, _ in reversed(rows)])
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.set_ylim(-0.6, len(rows) - 0.4)
        percent_axis(ax, "x", 0, 1.02)
        ax.set_xlabel("true positive rate (95 % interval over draws)")
        ax.set_title("Equality of opportunity")
        legend_below(ax, ncols=2)
    return ax


def _sides(result: EqualityOfOpportunity) -> list[tuple[str, RateSummary]]:
    sides: list[tuple[str, RateSummary]] = [("before", result.before)]
    return sides if result.after is None else [*sides, ("after", result.after)]


def _group_names(results: Sequence[EqualityOfOpportunity]) -> tuple[str, str]:
    favoured = sorted({shortened(result.favoured, 20) for result in results})
    other = sorted({shortened(result.other, 20) for result in results})
    return f"{' / '.join(favoured)} (favoured)", " / ".join(other)
