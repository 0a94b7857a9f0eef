"""The examples are tests: each must pass, by the real command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.runner.conftest import Runs

BOOKS = sorted((Path(__file__).parents[2] / "runbooks").glob("*.yaml"))


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_an_example_passes(run: Runs, path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sandbook", "run", str(path)],
        env=run.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert run.sandboxes() == []


def test_every_example_is_named_in_the_guide() -> None:
    guide = (BOOKS[0].parent / "README.md").read_text()
    for path in BOOKS:
        assert f"({path.name})" in guide
