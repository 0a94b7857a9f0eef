"""Which part of a text to pass over when it is no YAML, so that the rest is read."""

from __future__ import annotations

import re
from typing import Final

_LINE: Final = re.compile(r"( *)(-(?= |$))?[^\r\n]*(?:\r\n|\r|\n|$)")
_VISIBLE: Final = re.compile(r"[^\r\n]")


def without_block(text: str, begin: int, end: int) -> tuple[str, int] | None:
    """The text without the item of a list, or the key, that holds a place.

    That is all lines from the one where the item begins to the next one that is no
    deeper. Columns and lines stay. Also said is where the next line begins; None when
    nothing would be left.
    """
    lines = [match for match in _LINE.finditer(text) if match.end() > match.start()]
    at = max((i for i, line in enumerate(lines) if line.start() <= begin), default=0)
    first = _first(lines, at)
    depth = len(lines[first][1]) if lines else 0
    last = first + 1
    while last < len(lines) and (
        lines[last].start() <= end or _is_inside(lines[last], depth)
    ):
        last += 1
    if not lines or (first == 0 and last == len(lines)):
        return None
    start, stop = lines[first].start(), lines[last - 1].end()
    passed = _VISIBLE.sub(" ", text[start:stop])
    return text[:start] + passed + text[stop:], stop


def _first(lines: list[re.Match[str]], at: int) -> int:
    """The line of the item that line `at` is in, else of the key at the margin."""
    depth = len(lines[at][1]) + 1 if lines else 0
    for number in range(at, -1, -1):
        line = lines[number]
        if _is_blank(line) or len(line[1]) >= depth:
            continue
        depth = len(line[1])
        if line[2] or not depth:
            return number
    return 0


def _is_inside(line: re.Match[str], depth: int) -> bool:
    return _is_blank(line) or len(line[1]) > depth


def _is_blank(line: re.Match[str]) -> bool:
    return line[0].strip()[:1] in ("", "#")
