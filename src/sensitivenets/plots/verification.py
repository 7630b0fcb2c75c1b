"""ROC and DET curves: false matches against false non-matches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.ticker as mticker
import numpy as np
from matplotlib.axes import Axes
from scipy import stats

from sensitivenets.plots.style import MUTED, SERIES, drawing, legend_below
from sensitivenets.verification import ErrorCurve

_DET_TICKS = (0.0001, 0.001, 0.01, 0.05, 0.2, 0.5, 0.8)


def plot_roc(curves: Mapping[str, ErrorCurve], ax: Axes | None = None) -> Axes:
    """Draw the true acceptance rate against the false match rate, from the first measurable one.

    Parameters
    ----------
    curves : mapping of str to ErrorCurve
        By label, such as "before" and "after".
    ax : matplotlib Axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    Axes
        With a logarithmic abscissa. Up and left is better.
    """
    with drawing(ax) as ax:
        ax.set_xscale("log")
        lowest = min(_resolution(curve) for curve in curves.values())
        for look, (label, curve) in zip(_looks(len(curves)), curves.items(), strict=True):
            curve = curve.thinned()
            seen = curve.fmr > 0
            fmr = np.r_[_resolution(curve), curve.fmr[seen]]
            first = curve.tar[~seen][-1] if (~seen).any() else curve.tar[0]
            ax.step(fmr, np.r_[first, curve.tar[seen]], where="post", label=label, **look)
        ax.set_xlim(lowest, 1)
        ax.yaxis.set_major_formatter(mticker.FuncFormatter(_percent))
        ax.xaxis.set_major_formatter(mticker.FuncFormatter(_percent))
        ax.set_ylim(top=1.005)
        ax.grid(visible=True)
        ax.set_xlabel("false match rate")
        ax.set_ylabel("true acceptance rate")
        ax.set_title("Verification: ROC")
        legend_below(ax, ncols=3)
    return ax


def plot_det(curves: Mapping[str, ErrorCurve], ax: Axes | None = None) -> Axes:
    """Draw both error rates on normal-deviate axes, where normal scores give straight lines.

    Parameters
    ----------
    curves : mapping of str to ErrorCurve
        By label, such as "before" and "after".
    ax : matplotlib Axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    Axes
        Coordinates are standard normal quantiles, ticks are percent. Down and left is better;
        the dotted diagonal is the equal error rate.

    References
    ----------
    Martin et al., The DET curve in assessment of detection task performance, Eurospeech 1997.
    """
    with drawing(ax, (4.0, 3.9)) as ax:
        for look, (label, curve) in zip(_looks(len(curves)), curves.items(), strict=True):
            curve = curve.thinned()
            inside = (curve.fmr > 0) & (curve.fmr < 1) & (curve.fnmr > 0) & (curve.fnmr < 1)
            fmr, fnmr = stats.norm.ppf(curve.fmr[inside]), stats.norm.ppf(curve.fnmr[inside])
            ax.plot(fmr, fnmr, label=label, **look)
        lowest = min(_resolution(curve) for curve in curves.values())
        ticks = [tick for tick in _DET_TICKS if tick >= 0.9 * lowest]
        ends = stats.norm.ppf([max(0.5 * ticks[0], 5e-5), 0.85])
        ax.plot(ends, ends, color=MUTED, linestyle=":", linewidth=1.2, label="equal errors")
        ax.set_xticks(stats.norm.ppf(ticks), [_percent(tick) for tick in ticks])
        ax.set_yticks(stats.norm.ppf(ticks), [_percent(tick) for tick in ticks])
        ax.set_xlim(*ends)
        ax.set_ylim(*ends)
        ax.set_aspect("equal")
        ax.grid(visible=True)
        ax.set_xlabel("false match rate")
        ax.set_ylabel("false non-match rate")
        ax.set_title("Verification: DET")
        legend_below(ax, ncols=3)
    return ax


def _resolution(curve: ErrorCurve) -> float:
    return 1 / max(curve.n_impostor, 2)


def _looks(n: int) -> list[dict[str, Any]]:
    grey_first = [{"color": MUTED, "linestyle": "--"}, *({"color": c} for c in SERIES)]
    return [dict(grey_first[k % len(grey_first)]) for k in range(n)]


def _percent(rate: float, _: int = 0) -> str:
    return f"{100 * rate:.4g} %"
