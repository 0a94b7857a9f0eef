"""Here-documents: how they end, and whether anything is replaced in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sandbook.shell_text._holes import UnreadableError
from sandbook.shell_text._quotes import Quotes

BLANK: Final = " \t"
ENDS_WORD: Final = frozenset(" \t\n;&|()<>")
_QUOTED_IN_DOUBLE: Final = '$`"\\'


@dataclass(frozen=True, slots=True)
class Document:
    """A here-document that was announced and has not begun yet."""

    delimiter: str
    is_quoted: bool
    strips_tabs: bool


class Documents(Quotes):
    """Walks through here-documents."""

    def announced(self) -> Document:
        """Read `<<` and the word behind it."""
        strips = self.at("<<-")
        self.take(3 if strips else 2)
        while self.position < self.end and self.text[self.position] in BLANK:
            self.take(1)
        start = self.position
        delimiter, is_quoted = self._delimiter()
        self.refuse_passed(
            start, "a value cannot end a here-document", "write a plain word, as <<EOF"
        )
        return Document(delimiter, is_quoted, strips)

    def _delimiter(self) -> tuple[str, bool]:
        """The word without its quotes, and whether it had any."""
        parts: list[str] = []
        is_quoted = False
        while self.position < self.end and self.text[self.position] not in ENDS_WORD:
            char = self.text[self.position]
            self.position += 1
            if char in "\"'\\":
                is_quoted = True
                parts.append(self._quoted_part(char))
            elif char in "$`":
                raise UnreadableError("a here-document ends with a plain word only")
            else:
                parts.append(char)
        return "".join(parts), is_quoted

    def _quoted_part(self, quote: str) -> str:
        start = self.position
        if quote == "\\":
            self.position += 1
            return self._in_one_line(start, self.position)
        ended = self.text.find(quote, start, self.end)
        inside = self._in_one_line(start, ended)
        if ended < 0 or (quote == '"' and any(c in _QUOTED_IN_DOUBLE for c in inside)):
            raise UnreadableError("a here-document ends with a plain word only")
        self.position = ended + 1
        return inside

    def _in_one_line(self, start: int, ended: int) -> str:
        inside = self.text[start:ended]
        if "\n" in inside:
            raise UnreadableError("a here-document ends with a plain word only")
        return inside

    def document(self, document: Document) -> None:
        """Read its lines, and the one that ends it."""
        start = self.position
        ended = self._end_of(document)
        delimiter = document.delimiter
        if document.is_quoted:
            self.position = ended
            self.refuse_passed(
                start,
                f"a value cannot stand in <<'{delimiter}', which is left as it is",
                f"write <<{delimiter} with a backslash before each plain $ and `",
            )
        else:
            self._lines(ended)
        line = self.text.find("\n", self.position, self.end)
        self.take((self.end if line < 0 else line + 1) - self.position)

    def _lines(self, ended: int) -> None:
        whole, self.end = self.end, ended
        while self.position < self.end:
            self.quotable(self.text[self.position], in_text=True)
        self.end = whole

    def _end_of(self, document: Document) -> int:
        """Where the line begins that ends a here-document."""
        position = self.position
        joined: str | None = None
        while position < self.end:
            line_end = self.text.find("\n", position, self.end)
            line_end = self.end if line_end < 0 else line_end
            line = self.text[position:line_end]
            stripped = line.lstrip("\t") if document.strips_tabs else line
            whole = (joined or "") + stripped
            if whole == document.delimiter:
                if joined is not None:
                    raise UnreadableError("a here-document ends with two joined lines")
                return position
            slashes = len(line) - len(line.rstrip("\\"))
            goes_on = not document.is_quoted and slashes % 2 == 1
            # Only as much as could still be the delimiter.
            joined = whole[:-1][: len(document.delimiter) + 1] if goes_on else None
            position = line_end + 1
        raise UnreadableError(
            f"the here-document <<{document.delimiter} in this shell text has no end"
        )
