"""Run YAML runbooks in disposable sandboxes, from the shell or from Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbook._version import __version__

if TYPE_CHECKING:
    from sandbook._python import load, open_sandbox, open_sandbox_sync, run, run_sync
    from sandbook.report import Report
    from sandbook.runbook import Runbook


__all__ = [
    "Report",
    "Runbook",
    "__version__",
    "load",
    "open_sandbox",
    "open_sandbox_sync",
    "run",
    "run_sync",
]


def __getattr__(name: str) -> object:
    """Load a public name when it is used: `sandbook --help` needs none of them."""
    from importlib import import_module

    homes = {"Report": "sandbook.report", "Runbook": "sandbook.runbook"}
    if name not in __all__:
        raise AttributeError(f"module 'sandbook' has no attribute {name!r}")
    return getattr(import_module(homes.get(name, "sandbook._python")), name)
