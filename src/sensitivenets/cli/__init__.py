"""The command line ``sensitivenets``: one file a command."""

from sensitivenets.cli.app import main

__all__ = ["main"]
