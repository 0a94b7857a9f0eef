"""The process may end: no thread of the SDK's is inside the interpreter then."""

from __future__ import annotations

import atexit
import sys
import threading
import time
from functools import cache

_PATIENCE = 2.0
_LOOK = 0.002


@cache
def leave_in_peace() -> None:
    """Let the threads of the SDK's HTTP client finish before the interpreter ends.

    They are native, unknown to `threading`, and tell the event loop what came. One
    that is still at it when the interpreter shuts down is unwound through Rust, at
    which the whole process is aborted (SIGABRT), after a run in which all was green.
    """
    atexit.register(_wait)


def _wait() -> None:
    deadline = time.monotonic() + _PATIENCE
    while _strangers() and time.monotonic() < deadline:
        time.sleep(_LOOK)


def _strangers() -> set[int]:
    """The threads that run Python code now and were not started by Python."""
    known = {thread.ident for thread in threading.enumerate()}
    frames = sys._current_frames()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # the documented way
    return {ident for ident in frames if ident not in known}
