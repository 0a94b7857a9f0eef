"""One cell: what was asked, and what it gave so far, as lines to be sent.

Of each stream the first mebibyte goes out as it comes; of the rest the last 128 KiB
follow at the end, with how much was left out.
"""

from __future__ import annotations

import collections
import json
from typing import Any

from sandbook.drivers.inside.wire import Message

STREAMS = ("stdout", "stderr")
_HEAD = 1 << 20
_TAIL = 128 << 10
_PIECE = 32 << 10
_RESULT = 16 << 20
_RESULTS = 64 << 20
KEPT = 64 << 20
"""Bytes of what ended cells gave that are kept to be told again."""


class _Stream:
    def __init__(self) -> None:
        self.shown = 0
        self.tail = ""
        self.dropped = 0


class Cell:
    """A cell; `life` names the variables that it was meant for."""

    def __init__(self, asked: Message) -> None:
        self.asked = asked
        self.key: str = asked["key"]
        self.life: str = asked["life"]
        self.lines: list[bytes] = []
        self.size = 0
        self.viewers = 0
        self.is_over = self.is_stopping = False
        self.has_failed = self.timed_out = False
        self._streams = {name: _Stream() for name in STREAMS}
        self._results = 0

    def text(self, stream: str, data: str) -> None:
        """It printed something."""
        state = self._streams[stream]
        room = max(_HEAD - state.shown, 0)
        shown, rest = data[:room], data[room:]
        state.shown += len(shown)
        self._tell_text(stream, shown)
        if rest:
            kept = state.tail + rest
            state.tail = kept[-_TAIL:]
            state.dropped += len(kept) - len(state.tail)

    def rich(self, data: dict[str, str], *, main: bool) -> None:
        """It showed something: MIME types and their data in base64."""
        size = sum(map(len, data.values())) * 3 // 4
        if size > _RESULT or self._results + size > _RESULTS:
            told = f"[a result of {size} bytes is left out: it is too large]\n"
            self.text("stderr", told)
            return
        self._results += size
        for kind, packed in data.items():
            for place in range(0, len(packed), _PIECE):
                self._tell("part", kind, packed[place : place + _PIECE])
        self._tell("rich", list(data), main)

    def failed(self, name: str, value: str, traceback: str) -> None:
        """It ended with an exception."""
        self.has_failed = True
        self._tell("failed", name, value[:_HEAD], traceback[:_HEAD])

    def done(
        self, status: str, values: dict[str, Any], *, kept: bool, count: int, life: str
    ) -> None:
        """It is over."""
        for stream, state in self._streams.items():
            if state.dropped:
                left_out = f"\n[truncated: {state.dropped} characters left out]\n"
                self._tell_text(stream, left_out)
            self._tell_text(stream, state.tail)
            state.tail = ""
        self._tell("done", status, values, kept, count, life)
        self.asked = {}
        self.is_over = True

    def forget(self) -> None:
        """Keep only how it ended; whoever asks again is told so."""
        ends = [line for line in self.lines if line.startswith(b'{"event": ["failed"')]
        last = self.lines[-1]
        # Those who read it now go on with what there was.
        self.lines, self.size = [], 0
        self._tell("text", "stderr", "[what it gave before is not kept any more]\n")
        self.lines += [*ends[-1:], last]

    def _tell_text(self, stream: str, data: str) -> None:
        for place in range(0, len(data), _PIECE):
            self._tell("text", stream, data[place : place + _PIECE])

    def _tell(self, *event: object) -> None:
        line = json.dumps({"event": event}).encode("ascii") + b"\n"
        self.lines.append(line)
        self.size += len(line)


class Kept:
    """Cells that have ended; of the oldest only how, where all give too much."""

    def __init__(self) -> None:
        self._cells: collections.deque[Cell] = collections.deque()
        self._size = 0

    def add(self, cell: Cell) -> None:
        """Keep what it gave, to be told again."""
        self._cells.append(cell)
        self._size += cell.size
        while self._size > KEPT and len(self._cells) > 1:
            oldest = self._cells.popleft()
            self._size -= oldest.size
            oldest.forget()
