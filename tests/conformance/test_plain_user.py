"""The kit on this computer's providers once more, as a user who is not root.

Only root can become somebody else. The interpreter is that of
`SANDBOOK_TEST_PLAIN_PYTHON`, or this one where others may read it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.again,
    pytest.mark.skipif(os.getuid() != 0, reason="is a plain user already"),
]

UID = "61001"
PROJECT = Path(__file__).parents[2]
OPTIONS = ("-q", "-n0", "-p", "no:cacheprovider", "-m", "not stress")


def _as_plain(folder: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the project as a plain user whose home is `folder`."""
    user = ("setpriv", "--reuid", UID, "--regid", UID, "--clear-groups")
    clean = ("env", "-i", f"HOME={folder}", f"PATH={os.environ['PATH']}")
    return subprocess.run(
        (*user, *clean, *command),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )


@cache
def _interpreter() -> str:
    named = os.environ.get("SANDBOOK_TEST_PLAIN_PYTHON")
    python = named or sys.executable
    with tempfile.TemporaryDirectory() as folder:
        done = _as_plain(folder, python, "-c", "import pytest, sandbook_local.provider")
    if done.returncode == 0:
        return python
    if named or "CI" in os.environ:
        pytest.fail(f"{python!r} cannot be used by a plain user: {done.stderr}")
    pytest.skip(f"{python!r} cannot be used by a plain user")


@pytest.mark.parametrize(
    "module",
    ["test_local.py", pytest.param("test_bare.py", marks=pytest.mark.stress)],
)
def test_the_contract_holds_for_a_plain_user(module: str) -> None:
    python = _interpreter()
    # Not below pytest's own folder: that one is closed to others.
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, int(UID), int(UID))
        command = (python, "-B", "-m", "pytest", *OPTIONS, f"--basetemp={folder}/t")
        done = _as_plain(folder, *command, f"tests/conformance/{module}")
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
