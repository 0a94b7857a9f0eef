"""The text of a runbook: where each character stands, and the problems found in it."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final, Literal

from sandbook.errors import Location, Problem

LARGEST: Final = 1 << 20
_LINE_END: Final = re.compile(r"\r\n|\r|\n")


@dataclass(slots=True)
class Source:
    """A text and its problems; offsets count characters from 0.

    `path` is shown as it was given.
    """

    path: str
    text: str
    problems: list[Problem] = field(default_factory=list[Problem])
    _starts: list[int] = field(default_factory=list[int])
    _lines: dict[int, str] = field(default_factory=dict[int, str])

    def __post_init__(self) -> None:
        """Find the lines."""
        ends = (match.end() for match in _LINE_END.finditer(self.text))
        self._starts = [0, *ends]

    def locate(self, offset: int) -> Location:
        """The line and column of a character."""
        line = bisect_right(self._starts, offset)
        return Location(self.path, line, offset - self._starts[line - 1] + 1)

    def offset(self, at: Location) -> int:
        """The inverse of `locate`."""
        return self._starts[at.line - 1] + at.column - 1

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, without its end."""
        # One text for all problems of a line: a line may be a MiB long.
        if number not in self._lines:
            self._lines[number] = self._read_line(number)
        return self._lines[number]

    def _read_line(self, number: int) -> str:
        start = self._starts[number - 1]
        more = number < len(self._starts)
        end = self._starts[number] if more else len(self.text)
        return self.text[start:end].rstrip("\r\n")

    def rest_of_line(self, offset: int) -> str:
        """The next characters of a line, enough to show."""
        at = self.locate(offset)
        return self.line(at.line)[at.column - 1 :][:200]

    def add(
        self,
        code: str,
        offset: int,
        message: str,
        *,
        remedy: str = "",
        length: int = 1,
        severity: Literal["error", "warning"] = "error",
    ) -> None:
        """Record a problem at a character."""
        at = self.locate(offset)
        source = self.line(at.line)
        room = max(1, len(source) - at.column + 1)
        self.problems.append(
            Problem(
                code=code,
                at=at,
                message=message,
                remedy=remedy,
                source=source,
                length=max(1, min(length, room)),
                severity=severity,
            )
        )
