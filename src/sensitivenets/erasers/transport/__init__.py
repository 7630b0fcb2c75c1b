"""Routed optimal transport: predicted groups are moved onto one Gaussian."""
