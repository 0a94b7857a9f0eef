"""Running as an ordinary user when the tests run as root.

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

UID = 61_001


def become(*command: str, folder: Path) -> list[str]:
    """The command as an ordinary user whose home is `folder`, which gets it."""
    os.chown(folder, UID, UID)
    user = ["setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups"]
    own = [f"HOME={folder}", f"PATH={os.environ['PATH']}"]
    return [*user, "env", "-i", *own, *command]


@cache
def interpreter() -> str:
    """One that others may read and that has what the tests import."""
    named = os.environ.get("SANDBOOK_TEST_PLAIN_PYTHON")
    wanted = [named] if named else [sys.executable, "/usr/bin/python3"]
    for python in wanted:
        imports = "import anyio, pytest, sandbook, sandbook_local.provider"
        with tempfile.TemporaryDirectory() as folder:
            command = become(python, "-c", imports, folder=Path(folder))
            done = subprocess.run(command, capture_output=True, cwd="/", check=False)
            if done.returncode == 0:
                return python
    if named or "CI" in os.environ:
        pytest.fail(f"none of {wanted} can be used by a plain user")
    pytest.skip(f"none of {wanted} can be used by a plain user")
