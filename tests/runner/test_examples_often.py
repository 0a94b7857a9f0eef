"""The examples with terminals pass again and again while others take the processor.

python -m pytest -m stress tests/runner/test_examples_often.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runner.conftest import Runs

FOLDER = Path(__file__).parents[2] / "runbooks"
TERMINALS = sorted(p for p in FOLDER.glob("*.yaml") if "\n    pty: " in p.read_text())
TIMES = 200
HOG = "while True: pass"
ENV = {
    "LICENCE_KEY": "ABCD-1234-EFGH",
    "PYTHONHASHSEED": "0",
    "SOURCE_DATE_EPOCH": "1767225600",
}


@pytest.fixture
def hogs() -> Iterator[None]:
    """Programs that keep every core busy."""
    count = len(os.sched_getaffinity(0))
    running = [subprocess.Popen([sys.executable, "-c", HOG]) for _ in range(count)]
    yield
    assert all(hog.poll() is None for hog in running)
    for hog in running:
        hog.kill()
        hog.wait()


def test_there_are_examples_with_terminals() -> None:
    assert len(TERMINALS) >= 2


@pytest.mark.stress
@pytest.mark.usefixtures("hogs")
@pytest.mark.parametrize("path", TERMINALS, ids=lambda path: path.stem)
def test_it_passes_every_time_while_the_processor_is_busy(
    run: Runs, path: Path
) -> None:
    for time in range(TIMES):
        done = subprocess.run(
            [sys.executable, "-m", "sandbook", "run", str(path)],
            env={**run.environ, **ENV},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"time {time}: {done.stdout}{done.stderr}"
    assert run.sandboxes() == []
