"""The text of a runbook: where each character stands, and the problems found in it."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final, Literal

from sandbook.errors import Location, Problem

LARGEST: Final = 1 << 20
MOST_TOLD: Final = 1000
"""So many problems of a file are kept: a hostile one has half a million."""
_LOCAL: Final = re.compile(r"SB1\d\d|SB20[13-8]|SB21[0136]|SB301|SB30[5-9]")
"""The problems that a part of a file has whatever else stands in it."""
_LINE_END: Final = re.compile(r"\r\n|\r|\n")


@dataclass(slots=True)
class Source:
    """A text and its problems; offsets count characters from 0.

    `path` is shown as it was given. `is_partial` = some of the text was no YAML and
    was passed over: what only seems to be missing is no problem then. At the offsets
    in `settled` YAML itself was misused; what stands there is not looked at again.
    """

    path: str
    text: str
    problems: list[Problem] = field(default_factory=list[Problem])
    is_partial: bool = False
    settled: set[int] = field(default_factory=set[int])
    _starts: list[int] = field(default_factory=list[int])
    _lines: dict[int, str] = field(default_factory=dict[int, str])

    def __post_init__(self) -> None:
        """Find the lines."""
        ends = (match.end() for match in _LINE_END.finditer(self.text))
        self._starts = [0, *ends]

    @property
    def is_full(self) -> bool:
        """Whether no problem is kept any more, so that none need be looked for."""
        return len(self.problems) >= 2 * MOST_TOLD

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
        # Warnings may not take the place of errors: then the file would be right.
        is_many = severity == "warning" and len(self.problems) >= MOST_TOLD
        if is_many or self.is_full or self._is_consequence(code, offset):
            return
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

    def _is_consequence(self, code: str, offset: int) -> bool:
        """Whether a problem comes from one that was told already."""
        if code[:3] != "SB1" and offset in self.settled:
            return True
        if not self.is_partial:
            return False
        # Behind such a key may have stood what was passed over.
        is_nothing = code == "SB203" and not self.rest_of_line(offset).strip()
        return is_nothing or _LOCAL.fullmatch(code) is None
