"""The program that watches files inside a sandbox: `python -I -S main.py watch`.

Stdin begins with a line of JSON that says what to watch, and stays open for as long as
somebody listens; its end is ours. Each line of stdout is JSON: first that the watch
has begun, or the errno why it has not, then each change. For each byte that follows on
stdin a mark is told, behind all that had happened by then.
"""

from __future__ import annotations

import collections
import errno
import json
import os
import select
import time

from sandbook_local.inside import frames
from sandbook_local.inside.inotify import Inotify
from sandbook_local.inside.watched import Watched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sandbook_local.inside.frames import Message
    from sandbook_local.inside.inotify import Notice
    from sandbook_local.inside.watched import Told

_PAIR_WAIT = 0.05
"""Seconds until the other half of a move cannot come any more: it comes at once."""

_NAMES = ("utf-8", "surrogateescape")
_MOST_NOTICES = 65_536
"""Beyond, the kernel keeps them; and when it has too many, it says so."""


def watch() -> None:
    """Watch until stdin ends."""
    order = _receive()
    if order is None:
        return
    try:
        kernel = Inotify()
        watched = _begin(order, kernel)
    except OSError as error:
        _say([{"errno": error.errno or errno.EIO}])
        return
    _say([{"ready": True}])
    _serve(kernel, watched)


def _receive() -> Message | None:
    data = bytearray()
    while not data.endswith(b"\n"):
        more = os.read(0, 1 << 16)
        if not more:
            return None
        data += more
    return frames.decode(bytes(data))


def _begin(order: Message, kernel: Inotify) -> Watched:
    path = frames.text(order, "path").encode(*_NAMES)
    return Watched(
        kernel,
        os.path.realpath(path, strict=True),
        recursive=order.get("recursive") is True,
        is_ignored=_any_of(frames.texts(order, "ignore")),
    )


def _any_of(patterns: list[str]) -> Callable[[bytes, bytes], bool]:
    """Whether a path, or a name, fits one of these regular expressions."""
    if not patterns:
        return lambda _path, _name: False
    # Most watches ignore nothing.
    import re

    compiled = [re.compile(pattern, re.DOTALL) for pattern in patterns]

    def fits(*texts: bytes) -> bool:
        return any(p.match(t.decode(*_NAMES)) for p in compiled for t in texts)

    return fits


def _serve(kernel: Inotify, watched: Watched) -> None:
    poll = select.poll()
    poll.register(kernel.descriptor, select.POLLIN)
    poll.register(0, select.POLLIN)
    notices: collections.deque[Notice] = collections.deque()
    since, marks = 0.0, 0
    while True:
        pause = max(since + _PAIR_WAIT - time.monotonic(), 0) if notices else None
        ready = [d for d, _ in poll.poll(None if pause is None else pause * 1000)]
        if 0 in ready:
            asked = os.read(0, 1 << 16)
            if not asked:
                return
            marks += len(asked)
        waited = bool(notices)
        _collect(kernel, notices)
        is_late = waited and time.monotonic() >= since + _PAIR_WAIT
        _tell(watched, watched.take(notices, is_late=is_late))
        if not waited or is_late:
            since = time.monotonic()
        if not notices:
            _say({"mark": True} for _ in range(marks))
            marks = 0


def _collect(kernel: Inotify, notices: collections.deque[Notice]) -> None:
    while len(notices) < _MOST_NOTICES and (more := kernel.read()):
        notices.extend(more)


def _tell(watched: Watched, events: Iterable[Told]) -> None:
    now = time.time()
    _say(
        {
            "kind": kind,
            "path": watched.told_as(path).decode(*_NAMES),
            "was": None if was is None else watched.told_as(was).decode(*_NAMES),
            "at": now,
        }
        for kind, path, was in events
    )


def _say(lines: Iterable[Message]) -> None:
    data = memoryview("".join(f"{json.dumps(line)}\n" for line in lines).encode())
    while data:
        data = data[os.write(1, data) :]
