"""Data sets: the embedded synthetic one."""

from sensitivenets.datasets.synthetic import synthetic_diveface

__all__ = ["synthetic_diveface"]
