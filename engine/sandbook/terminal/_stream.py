"""The text of a stream of bytes, without what only a terminal understands."""

from __future__ import annotations

from typing import Final

MOST: Final = 1 << 20


class StreamText:
    """Text as it came; a carriage return ends a line as a line feed does.

    Only the last `MOST` characters are kept.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._size = 0
        self._at_start = True
        self._has_returned = False

    def add(self, text: str) -> None:
        """Take more text."""
        if text:
            self._at_start = self._has_returned = False
            self._append(text)

    def control(self, char: str) -> None:
        """Take a control; only ends of lines and tabs are text."""
        if char == "\t":
            self.add(char)
        elif char == "\n":
            if not self._has_returned:
                self._append(char)
            self._at_start, self._has_returned = True, False
        elif char == "\r" and not self._at_start:
            self._append("\n")
            self._at_start = self._has_returned = True

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self._size += len(text)
        if self._size > 2 * MOST:
            self._parts = [self.text()]
            self._size = len(self._parts[0])

    def text(self) -> str:
        """What was kept."""
        return "".join(self._parts)[-MOST:]

    def take(self) -> str:
        """What was kept, and begin anew."""
        found = self.text()
        self.clear()
        return found

    def clear(self) -> None:
        """Begin anew."""
        self._parts.clear()
        self._size = 0
