"""What of the drawn text is the echo of what was typed.

The terminal itself shows typed text at once and in one piece. A program that reads
key by key shows it where the cursor stood, or something else, or nothing. A line
editor that starts later shows once more what was typed ahead of it. All else is the
program's own, also where it is the same text.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Final

from sandbook.api import EchoState
from sandbook.terminal._rows import Row
from sandbook.terminal._width import width_of

_MOST_AHEAD: Final = 8
_LONGEST: Final = 100_000
_PARTS: Final = re.compile(r"[^\x00-\x1f\x7f]+|[\x00-\x1f\x7f]")
_UNSEEN: Final = "\t\r\n"


@dataclass(frozen=True, slots=True)
class _Piece:
    """Text that is echoed in one piece; a key as `^C` perhaps not at all."""

    text: str
    is_optional: bool = False


class EchoLedger:
    """Stamps the cells of an echo with the negative number of its turn."""

    def __init__(self) -> None:
        self._turn = 0
        self._pieces: deque[_Piece] = deque()
        self._ahead: deque[_Piece] = deque(maxlen=_MOST_AHEAD)
        self._at = 0
        self._run: list[tuple[Row, int]] = []
        self._place: tuple[Row, int] | None = None
        self._needs_border = False
        self._editor_reads = False
        self._is_again = False

    @property
    def is_open(self) -> bool:
        """Whether anything drawn now could be an echo, or take one back."""
        return bool(self._pieces or self._run)

    def pressed(self, data: str, *, turn: int) -> None:
        """A key was pressed: it may be shown as `^C` or `^[[A`, or not at all."""
        self._forget()
        self._turn = turn
        shown = "".join(piece.text for piece in _pieces_of(data))
        if shown != data and shown:
            self._pieces.append(_Piece(shown, is_optional=True))

    def typed(
        self, text: str, state: EchoState | None, *, turn: int, at: tuple[Row, int]
    ) -> None:
        """A text was typed with the cursor there; None = nobody knows who shows it."""
        self._forget()
        self._turn = turn
        if self._editor_reads:
            self._ahead.clear()
        if state == "hidden":
            return
        first, _, rest = text[:_LONGEST].partition("\r")
        begun, later = _pieces_of(first), _pieces_of(rest)
        self._pieces.extend(begun if state == "program" else (*begun, *later))
        self._place = None if state == "shown" else at
        self._needs_border = state != "shown"
        ahead = later if self._editor_reads else (*begun, *later)
        if "\r" in text:
            self._ahead.extend(piece for piece in ahead if not piece.is_optional)

    def editor(self, *, reads: bool) -> None:
        """A line editor begins to read, or has read its line."""
        self._editor_reads = reads
        if reads and self._ahead:
            self._forget()
            self._pieces.extend(self._ahead)
            self._needs_border = self._is_again = True
        elif not reads and self._is_again:
            self._forget()

    def border(self) -> None:
        """A control or a sequence came: what was drawn in one piece ends here."""
        if self._run and self._at == 0:
            # It was whole, and nothing was joined to it.
            self._run.clear()
            if self._is_again:
                self._pieces.clear()

    def take(self, char: str, row: Row, column: int) -> str:
        """Stamp a character that was just drawn, if it is an echo.

        Gives what turned out to be the program's own: it may be more than this one.
        """
        own = ""
        if self._run and self._at == 0 and self._needs_border:
            # More text follows without a border: it was the program's own word.
            own = self._give_back()
        if not self._pieces or not self._is_there(row, column):
            return own + char
        if self._pieces[0].text[self._at] != char:
            own += self._give_back()
            if not self._begins_again(char):
                return own + char
        self._stamp(char, row, column)
        return own

    def _is_there(self, row: Row, column: int) -> bool:
        if self._place is None:
            return True
        wanted, at = self._place
        is_wrapped = column == 0 and wanted.wraps and at >= len(wanted.cells) - 1
        return (row is wanted and column == at) or is_wrapped

    def _begins_again(self, char: str) -> bool:
        """Whether this is no next character, but the first of an echo."""
        if self._is_again:
            return self._begins_another(char)
        while self._pieces and self._pieces[0].is_optional:
            self._pieces.popleft()
        if self._pieces and self._pieces[0].text[0] == char:
            return True
        if self._place is not None:
            # Where the echo should be, the program shows something else.
            self._pieces.clear()
        return False

    def _begins_another(self, char: str) -> bool:
        """Whether some line that was typed ahead begins so; it is next from now on."""
        for index, piece in enumerate(self._pieces):
            if piece.text[0] == char:
                self._pieces.rotate(-index)
                return True
        return False

    def _stamp(self, char: str, row: Row, column: int) -> None:
        width = width_of(char)
        row.stamps[column : column + width] = [-self._turn] * width
        self._run.append((row, column))
        if self._place is not None:
            self._place = (row, column + width)
        self._at += 1
        if self._at < len(self._pieces[0].text):
            return
        self._at = 0
        done = self._pieces.popleft()
        if self._is_again:
            self._pieces.clear()
            while self._ahead and self._ahead.popleft() != done:
                pass
        if not self._needs_border:
            self._run.clear()

    def _give_back(self) -> str:
        """What was taken for an echo is none; its text."""
        own: list[str] = []
        for row, column in self._run:
            if column < len(row.stamps) and row.stamps[column] == -self._turn:
                own.append(row.cells[column])
                row.stamps[column] = self._turn
                if row.cells[column + 1 : column + 2] == [""]:
                    row.stamps[column + 1] = self._turn
        self._run.clear()
        self._at = 0
        return "".join(own)

    def _forget(self) -> None:
        self._pieces.clear()
        self._run.clear()
        self._at = 0
        self._place = None
        self._needs_border = self._is_again = False


def _pieces_of(text: str) -> tuple[_Piece, ...]:
    """Runs of visible characters, and between them the keys shown as `^C`."""
    return tuple(
        _Piece(part) if part >= " " and part != "\x7f" else _caret(part)
        for part in _PARTS.findall(text)
        if part not in _UNSEEN
    )


def _caret(char: str) -> _Piece:
    return _Piece("^" + chr(ord(char) ^ 0x40), is_optional=True)
