"""The very first line of a run, before anything slow is imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager


@contextmanager
def reading(files: Iterable[str]) -> Generator[None]:
    """Say at once that something happens, on a terminal; it is wiped out after.

    What comes before the first line of a run takes 0.2 s, most of it imports.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        yield
        return
    sys.stderr.write(f"reading {', '.join(files)} …")
    sys.stderr.flush()
    try:
        yield
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
