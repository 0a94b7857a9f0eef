"""Hide from YAML what it would read otherwise than we do, and find it again.

Each `${{ … }}` is replaced by as many private characters before the text is parsed,
so that quotes, `#` and braces in it mean nothing to YAML and every column stays. The
first characters hold its number; it is put back only inside the scalar it stands in.
The characters come from the last plane of Unicode: prompt fonts use U+E000.

Hidden too are single characters, behind one that stands for all of them: those that
only YAML 1.1 takes for line ends, the private ones in the author's own text, and
those that cannot stand in YAML at all, once they are told.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, Literal

from sandbook.expressions import end_of_expression
from sandbook.loader._nodes import Mark, Style
from sandbook.loader._source import MOST_TOLD, Source

_FIRST: Final = 0x100000
_BASE: Final = 0x1000
_BEGIN: Final = chr(_FIRST)
_FILL: Final = chr(_FIRST + 1 + _BASE)
_ODD: Final = chr(_FIRST + 2 + _BASE)
_DIGIT: Final = f"[{chr(_FIRST + 1)}-{chr(_FIRST + _BASE)}]"
# An escape in double quotes could make private characters as well.
_OPENING: Final = re.compile(r"\$?\$\{\{|(?<!\\)(?:\\\\)*(\\U0010[0-9A-Fa-f]{4})")
_SHIELDED: Final = re.compile(f"{_BEGIN}({_DIGIT})({_DIGIT}){_FILL}+|{_ODD}")
_BAD: Final = (
    "\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff"
)
_FORBIDDEN: Final = re.compile(f"[{_BAD}]")
_STRANGE: Final = re.compile(f"[{_BAD}\x85\u2028\u2029{_BEGIN}-{_ODD}]")
_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})"
    r'|(["\\/ 0abtnvfreN_LP]))'
)
_ESCAPED: Final = dict(
    zip(
        '"\\/ 0abtnvfreN_LP',
        '"\\/ \0\a\b\t\n\v\f\r\x1b\x85\xa0\u2028\u2029',
        strict=True,
    )
)
_Kind = Literal["expression", "dollar", "escape"]


@dataclass(frozen=True, slots=True)
class _Hidden:
    start: int
    text: str  # between `${{` and `}}`; else all of it
    kind: _Kind = "expression"


@dataclass(slots=True)
class _Reading:
    """What a shield has found out about a text, and a second one begins with."""

    in_single: set[int] = field(default_factory=set[int])
    """Where expressions begin whose `''` is one quote."""


class Shield:
    """The text without its expressions: `text` has the same length and lines.

    `unended` are the places of `${{` without an end. Whether an expression stands in
    single quotes is known only when YAML has read the text; `again` is true when one
    ended elsewhere than it seemed, and `second` is the shield that knows.
    """

    def __init__(self, source: Source, reading: _Reading | None = None) -> None:
        self._source = source
        self._reading = reading or _Reading()
        self._hidden: list[_Hidden] = []
        self._odd: list[int] = []
        self._known = len(self._reading.in_single)
        self._one_quote: str | None = None
        self.unended: list[int] = []
        _refuse_forbidden(source)
        self._has_odd = _STRANGE.search(source.text) is not None
        self.text = "".join(self._shielded(source.text))

    @property
    def again(self) -> bool:
        """Whether the text must be read again."""
        return len(self._reading.in_single) > self._known

    def second(self) -> Shield:
        """The shield that knows what this one found out."""
        return Shield(self._source, self._reading)

    def _shielded(self, text: str) -> Iterator[str]:
        position = 0
        while match := _OPENING.search(text, position):
            start = match.start(1) if match[1] else match.start()
            yield self._between(position, start)
            hidden, position = self._found(match, start)
            if hidden is None:
                self.unended.append(start)
                yield text[start:position]
            else:
                yield self._cover(hidden, position - start)
        yield self._between(position, len(text))

    def _found(self, match: re.Match[str], start: int) -> tuple[_Hidden | None, int]:
        """What is to be hidden at `start`, and where it ends."""
        if match[1]:
            return _Hidden(start, match[1], "escape"), match.end()
        if len(match[0]) > 3:  # noqa: PLR2004 - `$${{`, a plain `${{`
            return _Hidden(start, "${{", "dollar"), match.end()
        begin = match.end()
        end = self._end(start, in_single=start in self._reading.in_single)
        if end is None:
            return None, begin
        return _Hidden(start, self._source.text[begin:end]), end + 2

    def _end(self, start: int, *, in_single: bool) -> int | None:
        # The same length: only where the quotes are decides where it ends.
        if in_single and self._one_quote is None:
            self._one_quote = self._source.text.replace("''", "' ")
        text = self._one_quote if in_single else None
        return end_of_expression(text or self._source.text, start + 3)

    def _between(self, start: int, end: int) -> str:
        text = self._source.text[start:end]
        if not self._has_odd:
            return text
        self._odd += (start + match.start() for match in _STRANGE.finditer(text))
        return _STRANGE.sub(_ODD, text)

    def _cover(self, hidden: _Hidden, length: int) -> str:
        high, low = divmod(len(self._hidden), _BASE)
        self._hidden.append(hidden)
        number = chr(_FIRST + 1 + high) + chr(_FIRST + 1 + low)
        return (_BEGIN + number).ljust(length, _FILL)

    def restore(
        self, value: str, style: Style, start: int, end: int
    ) -> tuple[str | Mark, ...]:
        """The pieces of a scalar that stands from `start` to `end` in the file."""
        if style == "single":
            self._look_again(start, end)
        if "${{" in value:
            self._refuse_unended(start, end)
        if _BEGIN not in value and _ODD not in value:
            return (value,) if value else ()
        odd = self._odd_before(end, value.count(_ODD))
        if _BEGIN not in value:
            text = "".join(chain(*zip(value.split(_ODD), (*odd, ""), strict=True)))
            return (text,) if text else ()
        pieces: list[str | Mark] = []
        position = 0
        for match in _SHIELDED.finditer(value):
            pieces.append(value[position : match.start()])
            if match[0] == _ODD:
                pieces.append(next(odd))
            else:
                pieces.append(self._piece(self._hidden[_number(match)], style))
            position = match.end()
        pieces.append(value[position:])
        return _merged(pieces)

    def _odd_before(self, end: int, count: int) -> Iterator[str]:
        # From the end: a comment behind the head of a block text is not in its value.
        last = bisect_left(self._odd, end)
        found = map(self._source.text.__getitem__, self._odd[last - count : last])
        # What cannot stand in YAML is told already; without it the rest can be read.
        return ("" if _FORBIDDEN.match(one) else one for one in found)

    def _look_again(self, start: int, end: int) -> None:
        """Note the expressions whose end `''` has moved."""
        text = self._source.text
        if "''" not in text[start:end]:
            return
        for match in _OPENING.finditer(text, start, end):
            begin = match.start()
            if match[0] == "${{" and begin not in self._reading.in_single:
                found = self._end(begin, in_single=True)
                if (
                    found is not None
                    and found < end
                    and found != self._end(begin, in_single=False)
                ):
                    self._reading.in_single.add(begin)

    def _piece(self, hidden: _Hidden, style: Style) -> str | Mark:
        source = hidden.text
        if hidden.kind == "escape":
            return _ESCAPE.sub(_unescape, source) if style == "double" else source
        if hidden.kind == "dollar":
            return source
        if style == "single":
            self._refuse_quotes(hidden, source.replace("''", "  "), "'")
            source = source.replace("''", "'")
        elif style == "double":
            self._refuse_quotes(hidden, _ESCAPE.sub("  ", source), '"')
            source = _ESCAPE.sub(_unescape, source)
        return Mark(source, hidden.start)

    def _refuse_quotes(self, hidden: _Hidden, bare: str, quote: str) -> None:
        found = bare.find(quote)
        if found < 0:
            return
        other = '"' if quote == "'" else "'"
        self._source.add(
            "SB105",
            hidden.start + 3 + bare.find(quote),
            f"the quote {quote} ends the YAML text in other tools",
            remedy=f"use {other} inside this expression",
        )

    def _refuse_unended(self, start: int, end: int) -> None:
        first = bisect_left(self.unended, start)
        for found in self.unended[first : bisect_left(self.unended, end)]:
            self.refuse_unended(found)
            return

    def refuse_unended(self, where: int) -> None:
        """Add the problem of an expression without an end."""
        self._source.add(
            "SB308",
            where,
            "the expression has no `}}` on its line",
            remedy="end it with }}, or write $${{ for a plain ${{",
            length=3,
        )


def _refuse_forbidden(source: Source) -> None:
    """Add a problem for each line with a character that cannot stand in YAML."""
    told = 0
    for match in _FORBIDDEN.finditer(source.text):
        if len(source.problems) >= MOST_TOLD:
            return
        line = source.locate(match.start()).line
        if line != told:
            code = f"{ord(match[0]):04X}"
            remedy = f'write it in double quotes, as "\\u{code.lower()}"'
            if match[0] == "\ufeff":
                remedy = "remove it: it is an invisible mark of some editors"
            message = f"the character U+{code} cannot stand in YAML"
            source.add("SB101", match.start(), message, remedy=remedy)
        told = line


def _number(match: re.Match[str]) -> int:
    return (ord(match[1]) - _FIRST - 1) * _BASE + ord(match[2]) - _FIRST - 1


def _unescape(match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3]
    if not digits:
        return _ESCAPED[match[4]]
    code = int(digits, 16)
    return chr(code) if code <= 0x10FFFF else match[0]  # noqa: PLR2004 - the last character


def _merged(pieces: list[str | Mark]) -> tuple[str | Mark, ...]:
    """Neighbouring texts as one, without empty ones."""
    merged: list[str | Mark] = []
    texts: list[str] = []
    for piece in (*pieces, None):
        if isinstance(piece, str):
            texts.append(piece)
            continue
        if text := "".join(texts):
            merged.append(text)
        texts.clear()
        if piece is not None:
            merged.append(piece)
    return tuple(merged)
