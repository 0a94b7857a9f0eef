"""Which files below a folder are runbooks."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_SUFFIXES: Final = frozenset({".yaml", ".yml"})
_VERSION: Final = re.compile(rb"^(?:\{\s*)?[\"']?runbook[\"']?\s*:", re.MULTILINE)


def runbooks_below(folder: Path) -> tuple[Path, ...]:
    """The YAML files with a key `runbook`, sorted; hidden folders are passed over."""
    return tuple(sorted(path for path in _yaml_below(folder) if _is_runbook(path)))


def _yaml_below(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if Path(name).suffix in _SUFFIXES and not name.startswith("."):
                yield Path(here) / name


def _is_runbook(path: Path) -> bool:
    try:
        return _VERSION.search(path.read_bytes()) is not None
    except OSError:
        # What cannot be read is told by who reads it.
        return path.is_file()
