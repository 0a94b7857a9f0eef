"""The answer to one question: what changes in a folder, for as long as somebody asks.

First that the watch has begun, then each change. A mark that is asked for is told
behind all that had happened by then.

Who is cut off comes again by another way, and finds the watch there was by its name: it
hands over what the client has not heard, and what there was. What is told after that is
what a look finds, and before it, that this may not be all.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import select
import socket
import time

from sandbook.drivers.inside.entries import Paths
from sandbook.drivers.inside.known import Known, changes
from sandbook.drivers.inside.sources import Heard, Seen, begin
from sandbook.drivers.inside.wire import Line, Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbook.drivers.inside.known import Told

_LINGER = 60.0
"""Seconds that a watch waits for who was cut off."""

_HAND_OVER_TIMEOUT = 5.0
_KEPT = 8192
_NAMES = ("utf-8", "surrogateescape")


def watch(paths: Paths, root: str, asked: Message, line: Line) -> None:
    """Watch until nobody asks any more."""
    place = "{}/watch-{}".format(root, os.path.basename(asked["name"]))
    before = _taken_over(place)
    source = begin(paths.full(asked["path"]), asked)
    watching = _Watching(source, line, place)
    line.send({"ready": True, "by": source.by})
    if asked["after"] is not None:
        watching.go_on(before, asked["after"])
    watching.serve()


class _Watching:
    def __init__(self, source: Heard | Seen, line: Line, place: str) -> None:
        self.source = source
        self.line = line
        self.place = place
        self.told: collections.deque[list[object]] = collections.deque(maxlen=_KEPT)
        self.seq = 0
        self.marks = 0
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(place)
        self.listener.listen(1)

    def go_on(self, before: Message | None, after: int) -> None:
        """Tell what the client has missed."""
        self.seq = after
        since: list[Told] = []
        if before is not None:
            self.seq = before["seq"]
            for event in before["told"]:
                if event[0] > after:
                    self.line.send({"event": event})
            since = changes(_read(before["known"]), self.source.watched.known)
        self._tell([("overflow", b"", None), *since])

    def serve(self) -> None:
        """Tell what happens, until the client leaves or comes by another way."""
        ends = self._serve()
        if ends == "gone":
            ready = select.select([self.listener.fileno()], [], [], _LINGER)[0]
            ends = "again" if ready else "left"
        if ends == "left":
            os.unlink(self.place)
        else:
            self._hand_over()

    def _serve(self) -> str:
        fixed = [self.line.fileno(), self.listener.fileno(), *self.source.descriptors]
        while True:
            ready = select.select(fixed, [], [], self.source.pause())[0]
            if self.listener.fileno() in ready:
                return "again"
            if self.line.fileno() in ready:
                if not self.line.fill():
                    return "gone"
                texts = self.line.lines().splitlines()
                asked = [json.loads(text)["do"] for text in texts]
                if "leave" in asked:
                    return "left"
                self.marks += len(asked)
            try:
                self._news()
            except OSError:
                return "gone"

    def _news(self) -> None:
        self._tell(self.source.news(must=bool(self.marks)))
        while self.marks and self.source.is_settled():
            self.line.send({"mark": True})
            self.marks -= 1

    def _tell(self, events: Iterable[Told]) -> None:
        now = time.time()
        for kind, path, was in events:
            self.seq += 1
            before = None if was is None else self._shown(was)
            event: list[object] = [self.seq, kind, self._shown(path), before, now]
            self.told.append(event)
            self.line.send({"event": event})

    def _shown(self, path: bytes) -> str:
        """A path as people read it: `.` is the folder, a watched file has its name."""
        if not path:
            watched = self.source.watched
            path = watched.name if watched.is_file else b"."
        return path.decode(*_NAMES)

    def _hand_over(self) -> None:
        marks = self.source.watched.known.marks
        known = [[path.decode(*_NAMES), mark] for path, mark in marks.items()]
        found = {"known": known, "told": list(self.told), "seq": self.seq}
        with contextlib.closing(self.listener.accept()[0]) as way:
            way.sendall(json.dumps(found).encode("ascii"))


def _taken_over(place: str) -> Message | None:
    """What the watch before us hands over, which ends with that."""
    way = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    way.settimeout(_HAND_OVER_TIMEOUT)
    with contextlib.closing(way):
        try:
            way.connect(place)
            data = b"".join(iter(lambda: way.recv(1 << 16), b""))
            found: Message = json.loads(data)
        except (OSError, ValueError):
            return None
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(place)
    return found


def _read(told: list[tuple[str, list[int] | None]]) -> Known:
    known = Known()
    for path, mark in told:
        found = None if mark is None else (mark[0], mark[1], mark[2])
        known.put(path.encode(*_NAMES), found)
    return known
