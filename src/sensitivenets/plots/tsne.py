"""Fig. 4: t-SNE maps, coloured by group."""

from __future__ import annotations

import textwrap
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sensitivenets.embeddings.tsne import MapPair
from sensitivenets.errors import InputError
from sensitivenets.plots.style import MUTED, PAPER, drawing, legend_below, shortened

CAPTION = (
    "A picture proves nothing: t-SNE can hide groups that an attacker reads, and show groups "
    "that none does. Judge by the attackers."
)

# A hue for each class of one attribute; dark discs and light triangles for the other one's. None
# is a colour of `SERIES`, which a page may replace: the points are pixels and would keep theirs.
_HUES = (
    ("#0073b4", "#6bb8e8"),
    ("#d66002", "#f2a76b"),
    ("#00805d", "#63c9a8"),
    ("#8b3d88", "#d498d1"),
    ("#8c6d00", "#d9b84a"),
    ("#5c6670", "#a8b1ba"),
)
_MARKERS = ("o", "^")


def plot_map(
    maps: MapPair,
    which: Literal["before", "after"] = "before",
    ax: Axes | None = None,
    *,
    explained: bool = True,
) -> Axes:
    """Draw one map.

    Parameters
    ----------
    maps : MapPair
        Coordinates (see `maps.compute_maps`).
    which : {"before", "after"}
        Which of the two.
    ax : matplotlib Axes, optional
        Where to draw; a new figure unless given.
    explained : bool, default=True
        Whether to name the groups below, with the caption that the picture proves nothing.

    Returns
    -------
    Axes
        Without scales: coordinates of t-SNE mean nothing.

    Raises
    ------
    InputError
        If there is no map after.
    """
    points = maps.before if which == "before" else maps.after
    if points is None:
        raise InputError("maps: expected a map after, found only one before; audit two tables")
    with drawing(ax, (4.3, 4.8 if explained else 4.0)) as ax:
        for code in _legend_order(maps):
            group = maps.groups[code]
            colour, marker = _look(maps, group)
            here = points[maps.codes == code]
            ax.scatter(
                here[:, 0],
                here[:, 1],
                s=9,
                color=colour,
                marker=marker,
                linewidths=0,
                alpha=0.85,
                rasterized=True,
                label=" · ".join(shortened(name, 20) for name in group),
            )
        ax.set_title(f"Map {which}")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(True)
        ax.spines[:].set_color(MUTED)
        ax.spines[:].set_linewidth(0.5)
        ax.set_aspect("equal", adjustable="datalim")
        if explained:
            ax.set_xlabel(_wrap(64), fontsize=7.5, color=MUTED)
            legend_below(ax, _columns(maps), marker_scale=1.8)
    return ax


def plot_map_pair(maps: MapPair, figure: Figure | None = None) -> tuple[Axes, ...]:
    """Draw both maps side by side, with one legend and the caption that they prove nothing.

    Parameters
    ----------
    maps : MapPair
        Coordinates (see `maps.compute_maps`).
    figure : matplotlib Figure, optional
        An empty one to draw on; a new one unless given.

    Returns
    -------
    tuple of Axes
        Before, and after where there is one.
    """
    sides: list[Literal["before", "after"]] = ["before"]
    if maps.after is not None:
        sides.append("after")
    if figure is None:
        figure = Figure((4.2 * len(sides), 5.2), layout="constrained", facecolor=PAPER)
    axes = tuple(figure.subplots(1, len(sides), squeeze=False)[0])
    for ax, side in zip(axes, sides, strict=True):
        plot_map(maps, side, ax, explained=False)
    with drawing(axes[0]):
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=_columns(maps), markerscale=1.8
        )
        figure.suptitle(
            _wrap(72 * len(sides)),
            fontsize=8.5,
            fontweight="normal",
            color=MUTED,
            x=0.01,
            ha="left",
        )
    return axes


def _wrap(width: int) -> str:
    return "\n".join(textwrap.wrap(CAPTION, width))


def _legend_order(maps: MapPair) -> list[int]:
    """Codes by hue, so that each column of the legend holds the shades of one hue."""
    looks = [_look(maps, group) for group in maps.groups]
    hues = [next(k for k, hue in enumerate(_HUES) if look[0] in hue) for look in looks]
    return sorted(range(len(looks)), key=lambda code: (hues[code], looks[code][1] != _MARKERS[0]))


def _columns(maps: MapPair) -> int:
    return min(len(maps.groups), 3)


def _look(maps: MapPair, group: tuple[str, ...]) -> tuple[str, str]:
    if len(maps.attributes) == 1:
        place = maps.groups.index(group)
        return _HUES[place % len(_HUES)][0], _MARKERS[place // len(_HUES) % 2]
    # The attribute with more classes takes the hues, all others together take shape and shade.
    counts = [len({g[k] for g in maps.groups}) for k in range(len(maps.attributes))]
    wide = counts.index(max(counts))
    hues = sorted({g[wide] for g in maps.groups})
    rest = sorted({g[:wide] + g[wide + 1 :] for g in maps.groups})
    shade = rest.index(group[:wide] + group[wide + 1 :]) % 2
    return _HUES[hues.index(group[wide]) % len(_HUES)][shade], _MARKERS[shade]
