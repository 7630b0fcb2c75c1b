"""Means and covariances of groups and of attributes, in one pass."""
