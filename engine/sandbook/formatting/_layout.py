"""Indentation and gaps, from the tokens of a text that every YAML tool reads alike.

Each nested map or list stands two columns deeper than what holds it. Lines inside a
text move with it; inside braces they move with their first line.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import yaml
from yaml import tokens as kinds

from sandbook.formatting._edits import Edit, apply
from sandbook.formatting._gaps import gap
from sandbook.formatting._texts import without_old_breaks

_HEADER: Final = re.compile(r"([|>])([-+0-9]*)")
_SPACES_AT_END: Final = re.compile(r"(?<!\\)[ \t]+$")
"""Not behind a backslash, where double quotes make a space of it."""
_DEPTH: Final = 2
_OPENING: Final = (kinds.FlowMappingStartToken, kinds.FlowSequenceStartToken)
_CLOSING: Final = (kinds.FlowMappingEndToken, kinds.FlowSequenceEndToken)
_OUTSIDE: Final = (
    kinds.DocumentStartToken,
    kinds.DocumentEndToken,
    kinds.DirectiveToken,
)


@dataclass(slots=True)
class Line:
    """A line of the text without its end.

    `is_fixed` = it belongs to a text that began above. `section` is the key of the
    top level that stands here. `keeps` = empty lines below belong to its text.
    """

    text: str
    is_fixed: bool = False
    section: str = ""
    keeps: bool = False

    @property
    def is_blank(self) -> bool:
        """Whether it is empty and nobody's."""
        return not self.text and not self.is_fixed

    @property
    def is_comment(self) -> bool:
        """Whether a comment has it for itself."""
        return self.text.lstrip(" ").startswith("#") and not self.is_fixed


@dataclass(frozen=True, slots=True)
class _Level:
    """A map or list in block form: its column, and the one it gets."""

    old: int
    new: int
    kind: Literal["map", "list", "bare list"]


def lay_out(text: str, *, is_ended: bool) -> list[Line]:
    """The lines of `text`, which ends with a line end, each at its column.

    `is_ended` = the author wrote that last line end too.
    """
    scan = _Scan(text, is_ended=is_ended)
    scan.run()
    lines = apply(text, scan.edits).removesuffix("\n").split("\n")
    return [
        Line(
            line if number in scan.fixed else _SPACES_AT_END.sub("", line),
            is_fixed=number in scan.fixed,
            section=scan.sections.get(number, ""),
            keeps=number in scan.keeping,
        )
        for number, line in enumerate(lines)
    ]


@dataclass(slots=True)
class _Braces:
    """How deep we are in braces, and how far the line they began in was moved."""

    depth: int = 0
    moved: int = 0


@dataclass(slots=True)
class _Scan:
    text: str
    is_ended: bool
    edits: list[Edit] = field(default_factory=list[Edit])
    fixed: set[int] = field(default_factory=set[int])
    keeping: set[int] = field(default_factory=set[int])
    sections: dict[int, str] = field(default_factory=dict[int, str])
    _starts: list[int] = field(default_factory=list[int])
    _lines: list[str] = field(default_factory=list[str])
    _columns: dict[int, int] = field(default_factory=dict[int, int])
    _levels: list[_Level] = field(default_factory=list[_Level])
    _open: tuple[_Level, ...] = ()
    _braces: _Braces = field(default_factory=_Braces)
    _last: Any = None
    _last_line: int = -1

    def run(self) -> None:
        """Look at every token once."""
        self._lines = self.text.split("\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)
        for token in _tokens(self.text):
            self._nest(token)
            if isinstance(token, kinds.KeyToken):
                self._note_section(token)
            if _has_place(token):
                self._place(token)
        self._comments(len(self._lines), (*self._open, _Level(0, 0, "map")))

    # Levels

    def _nest(self, token: Any) -> None:
        """Open and close levels; a list may stand at its key's column, without end."""
        is_bare = bool(self._levels) and self._levels[-1].kind == "bare list"
        if isinstance(token, kinds.BlockMappingStartToken):
            self._push(token, "map")
        elif isinstance(token, kinds.BlockSequenceStartToken):
            self._push(token, "list")
        elif isinstance(token, kinds.BlockEntryToken):
            if self._levels[-1].kind == "map":
                self._push(token, "bare list")
        elif isinstance(token, kinds.BlockEndToken):
            del self._levels[-2 if is_bare else -1 :]
        elif is_bare and not self._braces.depth and _ends_bare_list(token):
            self._levels.pop()

    def _push(self, token: Any, kind: Literal["map", "list", "bare list"]) -> None:
        self._levels.append(_Level(self._column(token), self._inside, kind))

    @property
    def _inside(self) -> int:
        """The column of what stands in the innermost level."""
        return self._levels[-1].new + _DEPTH if self._levels else 0

    def _note_section(self, token: Any) -> None:
        if len(self._levels) == 1 and not self._braces.depth:
            start = token.start_mark.index
            number = self._line_of(start)
            self.sections[number] = self._lines[number].partition(":")[0].strip("\"' ")

    # Places

    def _place(self, token: Any) -> None:
        number = self._line_of(token.start_mark.index)
        if number not in self._columns:
            column = self._wanted(token, number)
            self._comments(
                number, (*self._open, _Level(self._indent(number), column, "map"))
            )
            self._indent_to(number, column)
        elif self._last is not None and number == self._last_line:
            self._gap(token)
        if isinstance(token, _OPENING):
            self._enter(number)
        elif isinstance(token, _CLOSING):
            self._braces.depth -= 1
        self._last_line = number
        if isinstance(token, kinds.ScalarToken):
            self._scalar(token, number)
        self._last = token
        self._open = tuple(self._levels)

    def _enter(self, number: int) -> None:
        if not self._braces.depth:
            self._braces.moved = self._columns[number] - self._indent(number)
        self._braces.depth += 1

    def _wanted(self, token: Any, number: int) -> int:
        """The column of a line that begins with this token."""
        if self._braces.depth:
            return self._moved(number, self._braces.moved)
        if isinstance(token, _OUTSIDE):
            return 0
        if isinstance(token, kinds.BlockEntryToken | kinds.KeyToken | kinds.ValueToken):
            return self._levels[-1].new
        return self._inside

    def _moved(self, number: int, by: int) -> int:
        return max(self._indent(number) + by, self._inside)

    def _gap(self, token: Any) -> None:
        start, end = self._last.end_mark.index, token.start_mark.index
        wanted = gap(self._last, token)
        between = self.text[start:end]
        if wanted is not None and between != wanted and not between.strip(" "):
            self.edits.append(Edit(start, end, wanted))

    # Lines that belong to a text

    def _scalar(self, token: Any, number: int) -> None:
        if token.style in ("|", ">"):
            self._block(token, number)
            return
        moved = self._columns[number] - self._indent(number)
        self._last_line = self._line_of(token.end_mark.index)
        for inner in range(number + 1, self._last_line + 1):
            self.fixed.add(inner)
            self._indent_to(inner, self._moved(inner, moved))

    def _block(self, token: Any, number: int) -> None:
        start = token.start_mark.index
        header = _HEADER.match(self.text, start)
        if header is None:
            return
        digits = "".join(char for char in header[2] if char.isdigit())
        found = self._content(number, int(digits) if digits else 0)
        keeps = "+" in header[2]
        column = self._levels[-1].old + int(digits) if digits else self._first(found)
        while not keeps and found and self._is_empty(found[-1], column):
            found.pop()
        needs_digit = self._move_content(found, column)
        last = found[-1] if found else number
        at_end = not self.is_ended and last >= len(self._lines) - 2
        chomp = "-" if at_end or "-" in header[2] else "+" if keeps else ""
        wanted = header[1] + chomp + (str(_DEPTH) if needs_digit else "")
        self.edits.append(Edit(start, header.end(), wanted))
        if keeps:
            self.keeping.add(last)
        self._last_line = last

    def _content(self, number: int, digit: int) -> list[int]:
        """The lines of a block text, and the empty ones below it."""
        least = self._levels[-1].old + digit if digit else None
        found: list[int] = []
        for inner in range(number + 1, len(self._lines) - 1):
            if self._lines[inner].strip(" "):
                if least is None:
                    least = self._indent(inner)
                    if least <= self._levels[-1].old:
                        break
                if self._indent(inner) < least:
                    break
            found.append(inner)
        return found

    def _first(self, found: list[int]) -> int:
        """The column of a block text: that of its first line that is not empty."""
        filled = (self._indent(n) for n in found if self._lines[n].strip(" "))
        return next(filled, 0)

    def _is_empty(self, number: int, column: int) -> bool:
        line = self._lines[number]
        return not line.strip(" ") and len(line) <= column

    def _move_content(self, found: list[int], column: int) -> bool:
        """Move lines as a whole; whether the text begins with a space."""
        begins: str | None = None
        for inner in found:
            line = self._lines[inner]
            content = line[column:] if column else line.strip(" ")
            if content and begins is None:
                begins = content
            self.fixed.add(inner)
            start = self._starts[inner]
            cut = len(line) - len(content)
            self._columns[inner] = self._inside
            spaces = " " * self._inside if content else ""
            self.edits.append(Edit(start, start + cut, spaces))
        return begins is not None and begins.startswith(" ")

    # Comments

    def _comments(self, before: int, levels: tuple[_Level, ...]) -> None:
        """Put the comments above a line to the level they stood at."""
        for number in range(self._last_line + 1, before):
            line = self._lines[number].lstrip(" ")
            if line:
                self._indent_to(number, self._comment_column(number, levels))

    def _comment_column(self, number: int, levels: tuple[_Level, ...]) -> int:
        indent = self._indent(number)
        if self._braces.depth:
            return self._moved(number, self._braces.moved)
        # What follows comes first: a comment belongs to what it stands above.
        follows = levels[-1]
        if indent == follows.old:
            return follows.new
        fitting = [level for level in levels if level.old <= indent]
        nearest = max(fitting, key=lambda level: level.old, default=follows)
        return nearest.new

    # Text

    def _indent_to(self, number: int, column: int) -> None:
        line = self._lines[number]
        self._columns[number] = column
        bare = line.lstrip(" \t")
        start = self._starts[number]
        end = start + len(line) - len(bare)
        self.edits.append(Edit(start, end, " " * column if bare else ""))

    def _indent(self, number: int) -> int:
        line = self._lines[number]
        return len(line) - len(line.lstrip(" "))

    def _line_of(self, index: int) -> int:
        return bisect_right(self._starts, index) - 1

    def _column(self, token: Any) -> int:
        index: int = token.start_mark.index
        return index - self._starts[self._line_of(index)]


def _tokens(text: str) -> Iterator[Any]:
    text = without_old_breaks(text)
    scanner: Any = yaml.CLoader(text) if yaml.__with_libyaml__ else yaml.Loader(text)
    while scanner.check_token():
        yield scanner.get_token()


def _has_place(token: Any) -> bool:
    """Whether it stands somewhere: some tokens only say what was understood."""
    return not isinstance(
        token,
        kinds.StreamStartToken
        | kinds.StreamEndToken
        | kinds.BlockMappingStartToken
        | kinds.BlockSequenceStartToken
        | kinds.BlockEndToken,
    )


def _ends_bare_list(token: Any) -> bool:
    return isinstance(token, kinds.KeyToken | kinds.ValueToken)
