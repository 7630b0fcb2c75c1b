"""Every attacker as a dot with its interval: how far above a guess it gets, before and after."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from sensitivenets.audit.results import AttackerResult, AttributeResult, BatteryResult
from sensitivenets.plots.style import (
    INK,
    MUTED,
    PAPER,
    SERIES,
    drawing,
    legend_below,
    percent_axis,
    shortened,
)

_LOOKS: dict[str, dict[str, Any]] = {
    "before": {"color": MUTED, "marker": "o", "markerfacecolor": PAPER},
    "after": {"color": SERIES[0], "marker": "o"},
    "attacked": {"color": SERIES[0], "marker": "o"},
    "after, map undone": {"color": SERIES[1], "marker": "D"},
}


def best_of_each(battery: BatteryResult) -> dict[str, AttackerResult]:
    """Keep the best preparation of each attacker; attackers that failed are left out."""
    best: dict[str, AttackerResult] = {}
    for result in battery.attackers:
        score, known = result.balanced_accuracy, best.get(result.attacker)
        if score is not None and (known is None or score > (known.balanced_accuracy or 0)):
            best[result.attacker] = result
    return best


def plot_attackers(attribute: AttributeResult, ax: Axes | None = None) -> Axes:
    """Draw balanced accuracy and 95 % interval of each attacker, in its best preparation.

    Parameters
    ----------
    attribute : AttributeResult
        One attribute of an audit.
    ax : matplotlib Axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    Axes
        Left is safer: the dashed line is a guess. The strongest attacker is on top.
    """
    batteries = {"before" if attribute.after is not None else "attacked": attribute.before}
    if attribute.after is not None:
        batteries["after"] = attribute.after
    if attribute.inverted is not None:
        batteries["after, map undone"] = attribute.inverted
    best = {label: best_of_each(battery) for label, battery in batteries.items()}
    names = sorted(
        {name for results in best.values() for name in results},
        key=lambda name: [_score(results.get(name)) for results in reversed(best.values())],
    )
    # Dots of one attacker lie a marker apart, so that equal figures stay two dots.
    height = 0.27 if len(best) < 3 else 0.37
    with drawing(ax, (4.3, 1.3 + height * len(names))) as ax:
        step = 0.3 if len(best) > 1 else 0.0
        for k, (label, results) in enumerate(best.items()):
            offset = step * ((len(best) - 1) / 2 - k)
            rows = [y for y, name in enumerate(names) if name in results]
            _dots(ax, [y + offset for y in rows], [results[names[y]] for y in rows], label)
        ax.axvline(attribute.chance, color=INK, linestyle=(0, (4, 3)), linewidth=1, label="a guess")
        ax.set_yticks(range(len(names)), [shortened(name) for name in names])
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.set_ylim(-0.6, len(names) - 0.4)
        ax.set_xlabel("balanced accuracy (95 % interval)")
        ax.set_title(f"Attackers on {shortened(attribute.name)}")
        percent_axis(ax, "x", *_limits(attribute.chance, best))
        legend_below(ax, ncols=2 if len(best) > 2 else 3)
    return ax


def _score(result: AttackerResult | None) -> float:
    return -1.0 if result is None or result.balanced_accuracy is None else result.balanced_accuracy


def _dots(ax: Axes, rows: list[float], results: list[AttackerResult], label: str) -> None:
    values = [_score(result) for result in results]
    low = [v if r.low is None else min(r.low, v) for v, r in zip(values, results, strict=True)]
    high = [v if r.high is None else max(r.high, v) for v, r in zip(values, results, strict=True)]
    look = _LOOKS[label]
    ax.hlines(rows, low, high, color=look["color"], linewidth=1.4)
    ax.plot(values, rows, linestyle="none", markersize=5, label=label, **look)


def _limits(chance: float, best: dict[str, dict[str, AttackerResult]]) -> tuple[float, float]:
    found = [r for results in best.values() for r in results.values()]
    low = min([chance] + [_score(r) if r.low is None else r.low for r in found])
    high = max([chance] + [_score(r) if r.high is None else r.high for r in found])
    margin = max(0.04, 0.06 * (high - low))
    return max(0.0, low - margin), min(1.0, high) + margin
