"""Data sets: the embedded synthetic one, and pairs for tables that come without any."""

from sensitivenets.datasets.drawn_pairs import draw_pairs
from sensitivenets.datasets.synthetic import synthetic_diveface

__all__ = ["draw_pairs", "synthetic_diveface"]
