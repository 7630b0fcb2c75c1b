"""Pictures: each function draws data that was computed elsewhere and returns its axes."""

from sensitivenets.plots.attackers import plot_attackers
from sensitivenets.plots.certificates import plot_finite_bounds, plot_label_forecasts
from sensitivenets.plots.curves import plot_learning_curve, plot_removal_curve
from sensitivenets.plots.opportunity import plot_opportunity
from sensitivenets.plots.plane import PlanePoint, plot_plane
from sensitivenets.plots.saving import save, svg_text
from sensitivenets.plots.tsne import CAPTION, plot_map, plot_map_pair
from sensitivenets.plots.verification import plot_det, plot_roc

__all__ = [
    "CAPTION",
    "PlanePoint",
    "plot_attackers",
    "plot_det",
    "plot_finite_bounds",
    "plot_label_forecasts",
    "plot_learning_curve",
    "plot_map",
    "plot_map_pair",
    "plot_opportunity",
    "plot_plane",
    "plot_removal_curve",
    "plot_roc",
    "save",
    "svg_text",
]
