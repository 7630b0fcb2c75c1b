"""Agnostic embeddings: remove sensitive attributes, keep the task, and prove what still leaks."""

__version__ = "0.1.0"
