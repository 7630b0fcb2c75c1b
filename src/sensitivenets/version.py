"""The version, in a file of its own so that whoever records it imports nothing else."""

__version__ = "0.2.0"
