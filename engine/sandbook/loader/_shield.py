"""Hide expressions from YAML, and find them again.

Each `${{ … }}` is replaced by as many private characters before the text is parsed,
so that quotes, `#` and braces in it mean nothing to YAML and every column stays. The
first characters hold its number; it is put back only inside the scalar it stands in.
The characters come from the last plane of Unicode: prompt fonts use U+E000.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sandbook.expressions import end_of_expression
from sandbook.loader._nodes import Mark, Style
from sandbook.loader._source import Source

_FIRST: Final = 0x100000
_BASE: Final = 0x1000
_BEGIN: Final = chr(_FIRST)
_FILL: Final = chr(_FIRST + 1 + _BASE)
_DIGIT: Final = f"[{chr(_FIRST + 1)}-{chr(_FIRST + _BASE)}]"
_OPENING: Final = re.compile(r"\$?\$\{\{")
_SHIELDED: Final = re.compile(f"{_BEGIN}({_DIGIT})({_DIGIT}){_FILL}+")
_RESERVED: Final = re.compile(f"[{_BEGIN}-{_FILL}]")
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


@dataclass(frozen=True, slots=True)
class _Hidden:
    start: int
    source: str | None  # None: `$${{`, a plain `${{`


class Shield:
    """The text without its expressions: `text` has the same length and lines."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._hidden: list[_Hidden] = []
        for match in _RESERVED.finditer(source.text):
            source.add(
                "SB101",
                match.start(),
                f"the character U+{ord(match[0]):X} cannot be used in a runbook",
            )
            break
        self.text = "".join(self._shielded(source.text))

    def _shielded(self, text: str) -> Iterator[str]:
        position = 0
        while match := _OPENING.search(text, position):
            yield text[position : match.start()]
            length = len(match[0])
            hidden = _Hidden(match.start(), None)
            if length == 3:  # noqa: PLR2004 - `${{`, where four are the plain `$${{`
                end = end_of_expression(text, match.end())
                if end is None:
                    yield match[0]
                    position = match.end()
                    continue
                hidden = _Hidden(match.start(), text[match.end() : end])
                length = end + 2 - match.start()
            yield self._cover(hidden, length)
            position = match.start() + length
        yield text[position:]

    def _cover(self, hidden: _Hidden, length: int) -> str:
        high, low = divmod(len(self._hidden), _BASE)
        self._hidden.append(hidden)
        number = chr(_FIRST + 1 + high) + chr(_FIRST + 1 + low)
        return (_BEGIN + number).ljust(length, _FILL)

    def restore(
        self, value: str, style: Style, start: int, end: int
    ) -> tuple[str | Mark, ...]:
        """The pieces of a scalar that stands from `start` to `end` in the file."""
        if "${{" in value:
            self._refuse_unended(start, end)
        if _BEGIN not in value:
            return (value,) if value else ()
        pieces: list[str | Mark] = []
        position = 0
        for match in _SHIELDED.finditer(value):
            hidden = self._find(match, start, end)
            if hidden is None:
                continue
            pieces.append(value[position : match.start()])
            pieces.append(self._piece(hidden, style))
            position = match.end()
        pieces.append(value[position:])
        return _merged(pieces)

    def _find(self, match: re.Match[str], start: int, end: int) -> _Hidden | None:
        number = (ord(match[1]) - _FIRST - 1) * _BASE + ord(match[2]) - _FIRST - 1
        if number >= len(self._hidden):
            return None
        hidden = self._hidden[number]
        # An escape such as "\U00100000" can make these characters, elsewhere.
        return hidden if start <= hidden.start < end else None

    def _piece(self, hidden: _Hidden, style: Style) -> str | Mark:
        if hidden.source is None:
            return "${{"
        source = hidden.source
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
        found = self.text.find("${{", start, end)
        if found >= 0:
            self._source.add(
                "SB308",
                found,
                "the expression has no `}}` on its line",
                remedy="end it with }}, or write $${{ for a plain ${{",
                length=3,
            )


def _unescape(match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3]
    if not digits:
        return _ESCAPED[match[4]]
    code = int(digits, 16)
    return chr(code) if code <= 0x10FFFF else match[0]  # noqa: PLR2004 - the last character


def _merged(pieces: list[str | Mark]) -> tuple[str | Mark, ...]:
    """Neighbouring texts as one, without empty ones."""
    merged: list[str | Mark] = []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        elif piece != "":
            merged.append(piece)
    return tuple(merged)
