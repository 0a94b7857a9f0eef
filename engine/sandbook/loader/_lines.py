"""Lines that are one text, hidden from libyaml as one word each.

Whether the rest of a line is one text depends on where its key stands, which is known
only when YAML has read it. So this is a guess; whoever meets a hidden line says whether
it was right, and if it was not, the parser that needs no guess reads the file.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Final

from sandbook.loader._parser import is_more_than_yaml_sees

# The keys of the language that take a line; those of plugins are read the slow way.
_KEYS: Final = (
    *("name", "description", "command", "pty", "run_code", "if", "see", "see_regex"),
    *("not_see", "type", "enter", "paste"),
)
_LINE: Final = re.compile(
    rf"^ *(?:- +)*(?:{'|'.join(_KEYS)}):[ \t]+(?![\s#\"'\[{{])([^\r\n]+)", re.MULTILINE
)
# The last character of Unicode that is one; nobody's text holds it.
_COVER: Final = "\U0010fffd"
_COVERS: Final = re.compile(f"{_COVER}+")


class HiddenLines:
    """`text` has the same length and lines as the one it was made of."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines: dict[int, str] = {}
        if _COVER not in text:
            self.text = _LINE.sub(self._hidden, text)
        self._starts = list(self._lines)

    def _hidden(self, found: re.Match[str]) -> str:
        rest = found[1].rstrip(" \t")
        if not is_more_than_yaml_sees(rest):
            return found[0]
        self._lines[found.start(1)] = rest
        before, behind = found.start(1) - found.start(), found[1][len(rest) :]
        return found[0][:before] + _COVER * len(rest) + behind

    def holds(self, start: int) -> bool:
        """Whether a line was hidden whose text begins here."""
        return start in self._lines

    def is_in(self, value: str) -> bool:
        """Whether a scalar holds what was hidden."""
        return bool(self._lines) and _COVER in value

    def line(self, start: int, end: int) -> str | None:
        """The line that is all of a scalar; None if that is something else."""
        found = self._lines.get(start)
        return found if found is not None and len(found) == end - start else None

    def shown(self, value: str, start: int, end: int) -> str | None:
        """A block text with its own lines again; None if they are not all of it."""
        first, last = bisect_left(self._starts, start), bisect_left(self._starts, end)
        inside = [self._lines[one] for one in self._starts[first:last]]
        if len(_COVERS.findall(value)) != len(inside):
            return None
        lines = iter(inside)
        return _COVERS.sub(lambda _: next(lines), value)
