"""The same rules hold for a plain user: the other modules run again as one.

Root is the only one who can become somebody else, so this does nothing for others.
The interpreter is that of `SANDBOOK_TEST_PLAIN_PYTHON`, or one that others may read.
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
    pytest.mark.plain_user,
    pytest.mark.skipif(os.getuid() != 0, reason="is a plain user already"),
]

_HERE = Path(__file__).parent
_PROJECT = _HERE.parent.parent
_UID = 61_001
_MODULES = sorted(
    path.name for path in _HERE.glob("test_*.py") if path.name != Path(__file__).name
)


def _become(*command: str, folder: Path) -> list[str]:
    user = ["setpriv", "--reuid", str(_UID), "--regid", str(_UID), "--clear-groups"]
    return [
        *user,
        "env",
        "-i",
        f"HOME={folder}",
        f"PATH={os.environ['PATH']}",
        *command,
    ]


@cache
def _interpreter() -> str:
    """One that others may read and that has what the tests import."""
    named = os.environ.get("SANDBOOK_TEST_PLAIN_PYTHON")
    wanted = [named] if named else [sys.executable, "/usr/bin/python3"]
    for python in wanted:
        imports = "import anyio, pytest, sandbook, sandbook_local.provider"
        with tempfile.TemporaryDirectory() as folder:
            command = _become(python, "-c", imports, folder=Path(folder))
            done = subprocess.run(command, capture_output=True, cwd="/", check=False)
            if done.returncode == 0:
                return python
    if named or "CI" in os.environ:
        pytest.fail(f"none of {wanted} can be used by a plain user")
    pytest.skip(f"none of {wanted} can be used by a plain user")


@pytest.mark.parametrize("module", _MODULES)
def test_the_same_rules_hold_for_a_plain_user(module: str) -> None:
    python = _interpreter()
    # Not below pytest's own folder: that one is closed to others.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chown(folder, _UID, _UID)
        options = ("-q", "-n0", "-p", "no:cacheprovider", f"--basetemp={folder}/t")
        command = (python, "-B", "-m", "pytest", *options, str(_HERE / module))
        done = subprocess.run(
            _become(*command, folder=folder),
            cwd=_PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
