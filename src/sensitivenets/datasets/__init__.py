"""Data sets: the embedded synthetic one, published lists read as they come, DiveFace."""

from sensitivenets.datasets.recruitment import synthetic_recruitment
from sensitivenets.datasets.synthetic import synthetic_diveface

__all__ = ["synthetic_diveface", "synthetic_recruitment"]
