"""The same rules hold for a plain user: the other modules run again as one.

Root is the only one who can become somebody else, so this does nothing for others.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.sandbook_local.plain import become, interpreter

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="is a plain user already")

_HERE = Path(__file__).parent
_PROJECT = _HERE.parent.parent
_MODULES = sorted(
    {path.name for path in _HERE.glob("test_*.py")}
    - {Path(__file__).name, "test_bwrap.py"}  # which runs itself as a plain user
)
_ELSEWHERE = ["../runner/test_planted.py"]


@pytest.mark.parametrize("module", [*_MODULES, *_ELSEWHERE])
def test_the_same_rules_hold_for_a_plain_user(module: str) -> None:
    _run_as_plain_user(module)


@pytest.mark.stress
def test_a_plain_user_s_sandboxes_survive_as_much() -> None:
    _run_as_plain_user("test_survival.py", "-s", "-m", "stress")


def _run_as_plain_user(module: str, *options: str) -> None:
    python = interpreter()
    # Not below pytest's own folder: that one is closed to others.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = ("-q", "-n0", "-p", "no:cacheprovider", f"--basetemp={folder}/t")
        command = (python, "-B", "-m", "pytest", *own, *options, str(_HERE / module))
        done = subprocess.run(
            become(*command, folder=folder),
            cwd=_PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
    print(done.stdout)  # noqa: T201 (the figures, by `-s`)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
