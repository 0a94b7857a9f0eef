"""A terminal's screen: what a program has drawn, and what it drew since we typed."""

from __future__ import annotations

from sandbook.api import EchoState
from sandbook.terminal import _modes as modes
from sandbook.terminal._display import Display
from sandbook.terminal._obey import Obeys
from sandbook.terminal._parser import Parser
from sandbook.terminal._rows import joined
from sandbook.units import LARGEST_SCREEN


class Screen:
    """Takes the bytes of a terminal; no bytes are an error.

    A turn begins with each `typed` or `pressed`: what `seen` gives is what the program
    drew in it, without the echo of what was typed.
    """

    def __init__(self, cols: int, rows: int) -> None:
        if not (1 <= cols <= LARGEST_SCREEN and 1 <= rows <= LARGEST_SCREEN):
            raise ValueError(f"a screen has 1 to {LARGEST_SCREEN} columns and rows")
        self._display = Display(cols, rows)
        self._parser = Parser(Obeys(self._display))

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes, cut anywhere; what the terminal answers to them."""
        self._parser.feed(data)
        return self._display.take_replies().encode()

    def typed(self, text: str, state: EchoState | None) -> None:
        """A text is typed now; `state` = what becomes of it, None = not known."""
        display, grid = self._display, self._display.grid
        display.begin_turn()
        at = (grid.lines[grid.y], grid.x + grid.is_pending)
        display.echo.typed(text, state, turn=display.turn, at=at)

    def pressed(self, data: bytes) -> None:
        """A key is pressed now."""
        display = self._display
        display.begin_turn()
        display.echo.pressed(data.decode(errors="replace"), turn=display.turn)

    def begin_turn(self) -> None:
        """Forget what was seen: only what is drawn from now on counts."""
        self._display.begin_turn()

    def resize(self, cols: int, rows: int) -> None:
        """Have another size; nothing that stands there is lost."""
        self._display.resize(cols, rows)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        return self._display.grid.cols, self._display.grid.rows

    @property
    def cursor(self) -> tuple[int, int]:
        """Column and row of the cursor, from 0."""
        return self._display.grid.x, self._display.grid.y

    @property
    def is_full(self) -> bool:
        """Whether a full-screen program has the screen."""
        return self._display.is_full

    @property
    def has_cursor_keys(self) -> bool:
        """Whether arrows are to be sent in the form that applications ask for."""
        return modes.CURSOR_KEYS in self._display.modes

    @property
    def brackets_paste(self) -> bool:
        """Whether pasted text is to be told from typed text."""
        return modes.BRACKETED_PASTE in self._display.modes

    def rows(self) -> list[str]:
        """The text of each row, as many as there are."""
        return [row.text().rstrip() for row in self._display.grid.lines]

    def lines(self) -> list[str]:
        """The screen as it is now: wrapped lines joined, no empty ones at the end."""
        rows = ((row.text(), row.wraps) for row in self._display.grid.lines)
        return _trimmed_end(joined(rows))

    def output(self) -> list[str]:
        """All lines that were shown, as far as they are kept; not of full screens."""
        display = self._display
        rows = ((row.text(), row.wraps) for row in display.main.lines)
        return _trimmed_end(joined([*display.history.rows(), *rows]))

    @property
    def gone(self) -> int:
        """How many rows drawn in this turn are no longer there: for `seen`."""
        return self._display.since.total

    def seen(self, *, after: int = 0, trim: bool = True) -> list[str]:
        """The lines to look at: in full-screen mode the screen, else what was drawn.

        `after` leaves out rows that were `gone` by then; without `trim` only what is
        still there is given, with the blanks that were drawn at the ends of lines.
        """
        display, turn = self._display, self._display.turn
        lines = display.grid.lines
        if display.is_full:
            rows = ((row.without_echo_of(turn), row.wraps) for row in lines)
            return _trimmed_end(joined(rows))
        if not trim:
            return [row.drawn_in(turn, trim=False) for row in lines]
        drawn = ((row.drawn_in(turn), row.wraps) for row in lines)
        return _trimmed_end(joined([*display.since.rows(after), *drawn]))

    def stream_text(self) -> str:
        """The text of the bytes that came in this turn, without the echo."""
        return self._display.stream.text()

    def take_plain(self) -> str:
        """The text of all bytes since this was asked last, with the echo."""
        return self._display.plain.take()


def _trimmed_end(lines: list[str]) -> list[str]:
    while lines and not lines[-1]:
        lines.pop()
    return lines
