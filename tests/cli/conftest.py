"""The command line in folders of each test; its sandboxes end with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.calls import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    """Calls commands."""
    made = Cli(tmp_path)
    yield made
    if (made.state / "sandboxes").is_dir() and any(
        (made.state / "sandboxes").iterdir()
    ):
        made("sandboxes", "kill", "--all", "--yes", env={"SANDBOOK_PROVIDERS": ""})
