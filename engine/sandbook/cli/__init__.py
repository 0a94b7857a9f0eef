"""The command line: options to one call, errors to an exit code."""

from sandbook.cli._main import main

__all__ = ["main"]
