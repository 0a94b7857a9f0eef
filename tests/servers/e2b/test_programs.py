"""Programs that know only the vendor's SDK work against the server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.conftest import E2B_KEY
from tests.servers.running import RunningServer

_PROGRAMS = Path(__file__).parent / "programs"
_PACKAGE = "tests.servers.e2b.programs"
_SHARED = "expecting"
_ROOT = Path(__file__).parents[3]
_TIMEOUT = 180.0

_NAMES = sorted(p.stem for p in _PROGRAMS.glob("*.py") if p.stem != _SHARED)


def run_program(name: str, server: RunningServer, *args: str) -> str:
    """Run a program; what it printed."""
    env = {
        "PATH": os.environ["PATH"],
        "E2B_API_URL": server.url,
        "E2B_SANDBOX_URL": server.url,
        "E2B_API_KEY": E2B_KEY,
    }
    done = subprocess.run(
        [
            sys.executable,
            "-X",
            "dev",
            "-W",
            "error",
            "-m",
            "tests.servers.e2b.programs_run",
            f"{_PACKAGE}.{name}",
            *args,
        ],
        env=env,
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr + "\n".join(server.failures)
    return done.stdout


@pytest.mark.parametrize("name", _NAMES)
def test_a_program_of_the_sdk_works(name: str, e2b_server: RunningServer) -> None:
    try:
        run_program(name, e2b_server)
    finally:
        e2b_server.check_clean()


@pytest.mark.parametrize("name", _NAMES)
def test_a_program_knows_nothing_but_the_sdk(name: str) -> None:
    lines = (_PROGRAMS / f"{name}.py").read_text(encoding="utf-8").splitlines()
    words = [line.split()[1] for line in lines if line.startswith(("from ", "import "))]
    known = sys.stdlib_module_names
    others = {word for word in words if word.partition(".")[0] not in known}
    # Some errors of its transport the SDK hands on as they are.
    allowed = {"e2b", "e2b.exceptions", "e2b_code_interpreter", "httpx"}
    assert others <= allowed | {f"{_PACKAGE}.{_SHARED}"}
