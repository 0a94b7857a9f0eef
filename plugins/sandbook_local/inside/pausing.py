"""Stops all that runs in a sandbox but init, and lets it go on where it was.

By signals, since a control group is not to be had everywhere. A parent has stopped
before its children are told to, and goes on after them: so no shell sees a child that
was stopped.
What was stopped before, by a shell's job control or a debugger, stays so.
"""

# pathlib would add a third to the supervisor's start
# ruff: noqa: PTH208

from __future__ import annotations

import os
import signal
import time

from sandbook_local.inside import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

_PATIENCE = 5.0
"""Seconds; what runs on by then is deep in the kernel, and stops on its way out."""

_ONE = 0.1
"""Seconds of it for one process, before its children are told."""

_LOOK = 0.0002
_STOPPED = (b"T", b"t")
_DEAD = (b"Z", b"X")


class Pause:
    """Whom we have stopped, in that order."""

    def __init__(self) -> None:
        self._ours: dict[int, None] = {}

    def begin(self, spared: Collection[int] = ()) -> None:
        """Stop everybody but us and `spared`, those too who are made meanwhile."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            found = [p for p in processes.descendants_in_order(1) if p not in spared]
            running = [pid for pid in found if not is_stopped(pid)]
            if not running:
                return
            for pid in running:
                self._ours[pid] = None
                _stop(pid, min(deadline, time.monotonic() + _ONE))

    def end(self) -> None:
        """Let go on whom we have stopped."""
        while self._ours:
            _signal(self._ours.popitem()[0], signal.SIGCONT)


def _stop(pid: int, deadline: float) -> None:
    _signal(pid, signal.SIGSTOP)
    while not is_stopped(pid) and time.monotonic() < deadline:
        time.sleep(_LOOK)


def is_stopped(pid: int) -> bool:
    """Whether no thread of a process can run."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return True
    return all(_state(pid, thread) in (*_STOPPED, *_DEAD) for thread in threads)


def _state(pid: int, thread: str) -> bytes:
    try:
        descriptor = os.open(f"/proc/{pid}/task/{thread}/stat", os.O_RDONLY)
    except OSError:
        return b"X"
    try:
        text = os.read(descriptor, 1024)
    except OSError:
        return b"X"
    finally:
        os.close(descriptor)
    return text[text.rindex(b")") + 2 :][:1]


def _signal(pid: int, signum: int) -> None:
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return
