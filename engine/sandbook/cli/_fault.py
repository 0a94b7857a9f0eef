"""A fault of ours or of a plugin: kept in a file, told in two lines."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sandbook import __version__
from sandbook.cli._hiding import hidden
from sandbook.errors import SandbookError
from sandbook.state import State


def fault_words(error: Exception) -> Iterator[str]:
    """Keep the trace and say where it is."""
    yield (
        "error: this is a fault in Sandbook or a plugin, not in your runbook: "
        f"{type(error).__name__}: {error}"
    )
    yield from trace_words(error)


def trace_words(error: Exception) -> Iterator[str]:
    """Keep the trace; where it is."""
    try:
        yield f"  please report it with the trace in {str(_keep(error))!r}"
    except OSError as full:
        yield f"  its trace could not be kept: {full.strerror or full}"


def _keep(error: Exception) -> Path:
    command = " ".join(sys.argv[1:2])
    head = f"sandbook {__version__} {command}, python {sys.version}\n\n"
    text = hidden(head + "".join(traceback.format_exception(error)))
    file, path = tempfile.mkstemp(
        dir=_folder(), prefix=f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-", suffix=".txt"
    )
    with os.fdopen(file, "w", encoding="utf-8", errors="backslashreplace") as kept:
        kept.write(text)
    return Path(path)


def _folder() -> Path | None:
    """`faults` of the state folder; None = where this computer keeps its scratch."""
    try:
        folder = State.open(os.environ).root / "faults"
        folder.mkdir(mode=0o700, exist_ok=True)
    except (SandbookError, OSError):
        return None
    return folder
