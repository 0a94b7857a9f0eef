"""Hides secrets in what a terminal is sent, where sequences may stand inside them.

A program that colours, places or breaks a text puts escape sequences and controls
between its characters: `sec`, a colour, `ret`. What a person reads is what is left
without them, so that is searched as well.

What this cannot find: a secret that is drawn out of order or over something else, that
has blanks, borders or backspaces between its characters, or half of it on one screen
and half on the next.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from sandbook.masking._search import MASK, Search

_UNSEEN: Final = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"
    rb"|\x1b[ -/]*[0-OQ-WYZ\\`-~]|[\x00-\x1a\x1c-\x1f\x7f]+|\x1b"
)
_BROKEN_OFF: Final = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*|[]PX^_][^\x07\x1b]*\x1b?|[ -/]*)?\Z"
)
_LONGEST: Final = 1 << 16
"""Bytes held back at most, however many sequences stand inside what may be one."""


class TerminalMasker:
    """Masks a terminal's stream, cut anywhere; sequences inside a secret stay."""

    __slots__ = ("_covered", "_forms", "_held")

    def __init__(self, forms: Search) -> None:
        self._forms = forms
        self._held = b""
        self._covered = 0

    def feed(self, data: bytes) -> bytes:
        """What can be shown now that `data` has come."""
        if self._forms.is_empty:
            return data
        data = self._held + data
        cut = _BROKEN_OFF.search(data)
        end = cut.start() if cut and len(data) - cut.start() < _LONGEST else len(data)
        seen = _Seen(data[:end])
        until = self._forms.open_end(seen.text)
        place = seen.place(until)
        if len(data) - place > _LONGEST:
            place, until = end, len(seen.text)
        return self._release(seen, until, data[place:], place)

    def flush(self) -> bytes:
        """What was held back; the stream has ended."""
        seen = _Seen(self._held)
        return self._release(seen, len(seen.text), b"", len(self._held))

    def _release(self, seen: _Seen, until: int, held: bytes, place: int) -> bytes:
        self._held = held
        reach = self._covered
        shown: list[bytes] = []
        at = min(seen.place(reach), place) if reach else 0
        shown.append(seen.unseen(0, at))
        for start, end in self._forms.found(seen.text, until):
            if start >= reach:
                first = seen.place(start)
                shown += (seen.data[at:first], MASK)
                at = first
            if end > reach:
                last = min(seen.place(end), place)
                shown.append(seen.unseen(at, last))
                at, reach = last, end
        shown.append(seen.data[at:place])
        self._covered = max(0, reach - until)
        return b"".join(shown)


class _Seen:
    """The text that a person reads in `data`, and where each piece of it stands."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._starts: list[int] = []
        self._places: list[int] = []
        pieces: list[bytes] = []
        size = 0
        for start, end in _pieces(data):
            self._starts.append(size)
            self._places.append(start)
            pieces.append(data[start:end])
            size += end - start
        self.text = b"".join(pieces)

    def place(self, index: int) -> int:
        """Where in `data` a byte of `text` stands; behind the last: the end."""
        if index >= len(self.text):
            return len(self.data)
        piece = bisect_right(self._starts, index) - 1
        return self._places[piece] + index - self._starts[piece]

    def unseen(self, start: int, end: int) -> bytes:
        """The sequences and controls between two places."""
        return b"".join(_UNSEEN.findall(self.data[start:end]))


def _pieces(data: bytes) -> Iterator[tuple[int, int]]:
    at = 0
    for found in _UNSEEN.finditer(data):
        if found.start() > at:
            yield at, found.start()
        at = found.end()
    if at < len(data):
        yield at, len(data)
