"""Which imports a command pays for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from tests.bench._place import COMMAND, Place

SHOWN = 20


def import_lines(place: Place, *words: str) -> Iterator[str]:
    """The dearest imports of `sandbook …`, by their own time; the tracing adds some."""
    command = [sys.executable, "-X", "importtime", "-c", COMMAND, *words]
    done = subprocess.run(
        command, cwd=place.folder, env=place.env, capture_output=True, check=False
    )
    found = [_entry(line) for line in done.stderr.decode().splitlines()]
    entries = sorted((entry for entry in found if entry), reverse=True)
    total = sum(own for own, _, _ in entries)
    yield f"sandbook {' '.join(words)}: {len(entries)} imports, {total / 1e3:.1f} ms"
    for own, whole, name in entries[:SHOWN]:
        yield f"  {own / 1e3:7.2f} own  {whole / 1e3:7.2f} with its own  {name}"


def _entry(line: str) -> tuple[int, int, str] | None:
    """Own and cumulative microseconds and the module's name."""
    if not line.startswith("import time:"):
        return None
    own, whole, name = line.removeprefix("import time:").split("|")
    if not own.strip().isdigit():
        return None
    return int(own), int(whole), name.strip()
