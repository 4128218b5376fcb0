"""The command line."""

from stemma.cli.main import main

__all__ = ["main"]
