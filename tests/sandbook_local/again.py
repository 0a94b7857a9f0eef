"""The modules of this folder once more: as another user, or by another launcher."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.sandbook_local.conftest import LAUNCHER
from tests.sandbook_local.plain import become, interpreter

HERE = Path(__file__).parent
PROJECT = HERE.parent.parent
GROUPS: Mapping[str, tuple[str, ...]] = {
    "python": ("code_python",),
    "code": ("code_bash", "code_javascript", "code_packages", "code_grace"),
    "files": ("files", "files_hostile", "files_sandbox", "files_trees", "trees"),
    "commands": ("exec", "keepers", "orders", "pty", "connection", "watch"),
    "lives": ("lifetime", "survival", "pause", "snapshot"),
    "walls": ("isolation", "egress", "ports", "probe", "../runner/test_planted"),
    "limits": ("limits", "limits_cgroup", "limits_kept", "proxy", "proxy_hosts"),
}
"""Name -> modules that run in one process: each process costs seconds to begin."""


def run_again(
    modules: Iterable[str], *options: str, plain: bool, launcher: str = ""
) -> str:
    """Run modules in a process of their own; what that printed.

    Raises:
        AssertionError: One of their tests failed; all that was printed.
    """
    becomes = plain and os.getuid() == 0
    # Not below pytest's own folder: that one is closed to others.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = interpreter() if os.getuid() == 0 else sys.executable
        own = ("-q", "-n0", "-p", "no:cacheprovider", f"--basetemp={folder}/t")
        again = (python, "-B", "-m", "pytest", *own, *options, *_paths(modules))
        command = ["env", f"{LAUNCHER}={launcher}", *again] if launcher else [*again]
        done = subprocess.run(
            become(*command, folder=folder) if becomes else command,
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
    return done.stdout


def _paths(modules: Iterable[str]) -> list[str]:
    return [str(HERE / f"{_name(each)}.py") for each in modules]


def _name(module: str) -> str:
    return module if module.startswith("..") else f"test_{module}"
