"""Where changes are had from: the kernel's word, or else a look now and then."""

from __future__ import annotations

import collections
import os
import re
import time

from sandbook.drivers.inside.inotify import Inotify, Notice
from sandbook.drivers.inside.looking import Looking
from sandbook.drivers.inside.watched import Watched
from sandbook.drivers.inside.wire import Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sandbook.drivers.inside.known import Ignore, Told

LOOK = 0.5
"""Seconds between two looks where the kernel tells nothing."""

_PAIR_WAIT = 0.05
"""Seconds until the other half of a move cannot come any more: it comes at once."""

_NAMES = ("utf-8", "surrogateescape")
_MOST_NOTICES = 65_536
"""Beyond, the kernel keeps them; and when it has too many, it says so."""


class Heard:
    """Changes that the kernel tells."""

    def __init__(self, kernel: Inotify, watched: Watched) -> None:
        self.descriptors = [kernel.descriptor]
        self.by = "inotify"
        self.watched = watched
        self._kernel = kernel
        self._notices: collections.deque[Notice] = collections.deque()
        self._since = 0.0

    def pause(self) -> float | None:
        """Seconds to wait for news."""
        if not self._notices:
            return None
        return max(self._since + _PAIR_WAIT - time.monotonic(), 0.0)

    def news(self, *, must: bool) -> list[Told]:
        """What has happened: all of it, whether it must or not."""
        del must
        waited = bool(self._notices)
        while len(self._notices) < _MOST_NOTICES:
            more = self._kernel.read()
            if not more:
                break
            self._notices.extend(more)
        is_late = waited and time.monotonic() >= self._since + _PAIR_WAIT
        told = self.watched.take(self._notices, is_late=is_late)
        if not waited or is_late:
            self._since = time.monotonic()
        return told

    def is_settled(self) -> bool:
        """Whether there is no half of a move."""
        return not self._notices


class Seen:
    """Changes that only a look finds."""

    def __init__(self, watched: Looking) -> None:
        self.descriptors: list[int] = []
        self.by = "looking"
        self.watched = watched
        self._next = time.monotonic() + LOOK

    def pause(self) -> float | None:
        """Seconds to wait until the next look."""
        return max(self._next - time.monotonic(), 0.0)

    def news(self, *, must: bool) -> list[Told]:
        """What a look finds, if it is time for one, or must be."""
        if not must and time.monotonic() < self._next:
            return []
        told = self.watched.take()
        self._next = time.monotonic() + LOOK
        return told

    def is_settled(self) -> bool:
        """Always."""
        return True


def begin(path: str, asked: Message) -> Heard | Seen:
    """Begin to watch: by the kernel's word, or where it has none by looking."""
    found = os.path.realpath(path.encode(*_NAMES))
    os.lstat(found)
    recursive, is_ignored = asked["recursive"], _any_of(asked["ignore"])
    try:
        kernel = _kernel(asked)
        heard = Watched(kernel, found, recursive=recursive, is_ignored=is_ignored)
    except (OSError, AttributeError):
        # None there, none left, or not for all folders; or a look fails as well.
        return Seen(Looking(found, recursive=recursive, is_ignored=is_ignored))
    return Heard(kernel, heard)


def _kernel(asked: Message) -> Inotify:
    if asked["by"] == "looking":
        raise OSError(38, "not asked for")
    return Inotify()


def _any_of(patterns: list[str]) -> Ignore:
    """Whether a path, or a name, fits one of these regular expressions."""
    compiled = [re.compile(pattern, re.DOTALL) for pattern in patterns]

    def fits(*texts: bytes) -> bool:
        shown = [text.decode(*_NAMES) for text in texts]
        return any(pattern.match(text) for pattern in compiled for text in shown)

    return fits
