"""Other tools that run a list of commands, in a venv of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from tests.bench._runbooks import (
    write_deploy,
    write_dodo,
    write_notebook,
    write_taskfile,
)

FOLDER = platformdirs.user_cache_path("sandbook-bench") / "peers"
INSTALL_TIMEOUT = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A tool, how it is called, and how its file is written; `package` for pip."""

    package: str
    words: tuple[str, ...]
    write: Callable[[Path, int], None]

    def command(self) -> list[str]:
        """The command line, by its full path."""
        return [str(FOLDER / "bin" / self.words[0]), *self.words[1:]]

    def is_installed(self) -> bool:
        """Whether its program is in the venv."""
        return (FOLDER / "bin" / self.words[0]).exists()


PEERS: Mapping[str, Peer] = {
    "task": Peer(package="go-task-bin", words=("task",), write=write_taskfile),
    "doit": Peer(package="doit", words=("doit",), write=write_dodo),
    "pyinfra": Peer(
        package="pyinfra",
        words=("pyinfra", "@local", "deploy.py", "-y"),
        write=write_deploy,
    ),
}


NOTEBOOKS: Mapping[str, Peer] = {
    "jupyter execute": Peer(
        package="nbclient ipykernel",
        words=("jupyter-execute", "cells.ipynb"),
        write=write_notebook,
    ),
    "papermill": Peer(
        package="papermill ipykernel",
        words=("papermill", "cells.ipynb", "out.ipynb"),
        write=write_notebook,
    ),
}
"""Tools that run cells of code; they isolate nothing."""


def install_peers(
    wanted: Mapping[str, Peer] = PEERS,
) -> tuple[Mapping[str, Peer], tuple[str, ...]]:
    """The peers that are there now, and a line for each that is not."""
    found: dict[str, Peer] = {}
    notes: list[str] = []
    for name, peer in wanted.items():
        reason = None if peer.is_installed() else _install(peer)
        if reason is None:
            found[name] = peer
        else:
            notes.append(f"{name} left out: {reason}")
    return found, tuple(notes)


def _install(peer: Peer) -> str | None:
    """Why it could not be installed; None = it was."""
    pip = [str(FOLDER / "bin" / "python"), "-m", "pip", "install", "-q"]
    pip += peer.package.split()
    venv = [sys.executable, "-m", "venv", str(FOLDER)]
    try:
        for command in [pip] if Path(pip[0]).exists() else [venv, pip]:
            subprocess.run(
                command, check=True, capture_output=True, timeout=INSTALL_TIMEOUT
            )
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"pip gave {error.returncode}"
    except subprocess.TimeoutExpired:
        return f"not installed after {INSTALL_TIMEOUT} s"
    return None
