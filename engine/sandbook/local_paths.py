"""What is at a path of this computer that an author wrote, whatever they wrote.

`pathlib` raises for names that are too long and links that go round in circles; to the
author of a runbook nothing is there.
"""

from __future__ import annotations

import os
from pathlib import Path


def real_path(path: Path) -> Path:
    """The path without links, as far as they lead somewhere."""
    return Path(os.path.realpath(path))


def is_there(path: Path) -> bool:
    """Whether there is a file, a folder or something else."""
    return os.path.exists(path)  # noqa: PTH110 - it raises nothing


def is_file(path: Path) -> bool:
    """Whether a file is there."""
    return os.path.isfile(path)  # noqa: PTH113 - it raises nothing


def is_folder(path: Path) -> bool:
    """Whether a folder is there."""
    return os.path.isdir(path)  # noqa: PTH112 - it raises nothing
