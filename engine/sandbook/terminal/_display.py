"""Does what programs ask of a terminal, and keeps what they drew."""

from __future__ import annotations

from typing import Final

from sandbook.terminal import _modes as modes
from sandbook.terminal._echo import EchoLedger
from sandbook.terminal._grid import Grid
from sandbook.terminal._history import History
from sandbook.terminal._rows import Row
from sandbook.terminal._stream import StreamText
from sandbook.terminal._width import RUNS

_UNKNOWN: Final = 0
_SET: Final = 1
_NOT_SET: Final = 2
_REPLIES_KEPT: Final = 4096


class Display:
    """A screen as programs know it; `turn` is stamped on what they draw.

    `history` has the rows that scrolled away, `since` what the program drew in this
    turn and is no longer on the screen. `stream` is the text that came in this turn
    without its echo, `plain` all text that came, but not that of full screens.
    """

    def __init__(self, cols: int, rows: int) -> None:
        self.turn = 1
        self.history = History()
        self.since = History()
        self.echo = EchoLedger()
        self.stream = StreamText()
        self.plain = StreamText()
        self.modes: set[int] = {modes.WRAP}
        self._replies: list[str] = []
        self._charsets = ["B", "B"]
        self._shift = 0
        self._is_linefeed_new_line = False
        self._last_char = ""
        self._lost: Row | None = None
        self.main = Grid(cols, rows, leaves=self._leaves, loses=self._loses)
        self._other: Grid | None = None
        self.grid = self.main

    @property
    def is_full(self) -> bool:
        """Whether a full-screen program has the screen."""
        return self.grid is not self.main

    def begin_turn(self) -> None:
        """What is drawn from now on is new."""
        self.turn += 1
        self.since.clear()
        self.stream.clear()
        self._lost = None

    def resize(self, cols: int, rows: int) -> None:
        """Have another size; nothing that stands there is lost."""
        for grid in (self.main, self._other):
            if grid is not None:
                grid.resize(cols, rows)

    def take_replies(self) -> str:
        """What was answered since this was asked last."""
        answer = "".join(self._replies)
        self._replies.clear()
        return answer

    # What becomes of rows.

    def _leaves(self, row: Row) -> None:
        if self.is_full:
            return
        text = row.text()
        self.history.add(text, wraps=row.wraps)
        drawn = row.drawn_in(self.turn)
        if drawn or row.wraps:
            # One text and not two, where all of it is new.
            kept = text if drawn == text else drawn
            self.since.add(kept, wraps=row.wraps)

    def _loses(self, row: Row) -> None:
        """Keep what was drawn and is about to be drawn over: somebody may wait for it.

        What a screen shows depends on when one looks; what was drawn does not.
        """
        if self.is_full or row is self._lost:
            return
        drawn = row.drawn_in(self.turn)
        if drawn:
            self.since.add(drawn, wraps=False)
            # Until the cursor is moved, what follows here is the new text.
            self._lost = row

    # What programs do.

    def draw(self, text: str) -> None:
        """Show characters."""
        if self._charsets[self._shift] == "0":
            text = text.translate(modes.DRAWING)
        if not self.is_full:
            self.plain.add(text)
        self._last_char = text[-1]
        if self.echo.is_open:
            self._draw_watching(text)
        else:
            self._draw_rest(text)

    def _draw_watching(self, text: str) -> None:
        """Draw while an echo is expected."""
        for index, char in enumerate(text):
            if not self.echo.is_open:
                self._draw_rest(text[index:])
                return
            if self.grid.draw_char(char, self.turn):
                own = self.echo.take(char, *self.grid.last)
            else:
                own = char
            self.stream.add(own)

    def _draw_rest(self, text: str) -> None:
        """Draw what is no echo."""
        self.stream.add(text)
        if text.isascii():
            self.grid.draw_narrow(text, self.turn)
            return
        for narrow, other in RUNS.findall(text):
            if narrow:
                self.grid.draw_narrow(narrow, self.turn)
            for char in other:
                self.grid.draw_char(char, self.turn)

    def control(self, char: str) -> None:
        """Obey one control character."""
        self.echo.border()
        if not self.is_full:
            self.plain.control(char)
        self.stream.control(char)
        grid = self.grid
        if char in "\n\v\f":
            grid.feed_line()
            if self._is_linefeed_new_line:
                grid.move(0, grid.y)
        elif char == "\r":
            self._lost = None
            grid.move(0, grid.y)
        elif char == "\b":
            grid.move(grid.x - 1, grid.y)
        elif char == "\t":
            grid.tab()
        elif char in "\x0e\x0f":
            self._shift = int(char == "\x0e")

    def repeat(self, count: int) -> None:
        """Draw the last character again."""
        if self._last_char:
            self._fill(self._last_char, min(count, self.grid.cols))

    def _fill(self, char: str, count: int) -> None:
        if not self.is_full:
            self.plain.add(char * count)
        self._draw_rest(char * count)

    def reply(self, text: str) -> None:
        """Answer, unless more was asked already than anybody reads."""
        if len(self._replies) < _REPLIES_KEPT:
            self._replies.append(text)

    # Modes.

    def is_set(self, mode: int) -> int:
        """The answer to whether a private mode is set: 1, 2 = no, 0 = unknown."""
        if mode not in modes.KNOWN:
            return _UNKNOWN
        return _SET if mode in self.modes else _NOT_SET

    def set_mode(self, mode: int, *, on: bool) -> None:
        """Set or reset a private mode."""
        if mode not in modes.KNOWN:
            return
        (self.modes.add if on else self.modes.discard)(mode)
        if mode in modes.ALTERNATE:
            self._switch(full=on, keeps_cursor=mode == modes.KEEPS_CURSOR)
        elif mode == modes.WRAP:
            self.grid.wraps = on
        elif mode == modes.ORIGIN:
            self.grid.from_top = not on
            self.grid.move_to(0, 0)
        elif mode == modes.SAVE_CURSOR:
            (self.grid.save if on else self.grid.restore)()
        elif mode == modes.BRACKETED_PASTE:
            self.echo.editor(reads=on)

    def _switch(self, *, full: bool, keeps_cursor: bool) -> None:
        if full and not self.is_full:
            if keeps_cursor:
                self.main.save()
            cols, rows = self.main.cols, self.main.rows
            self._other = Grid(cols, rows, leaves=self._leaves, loses=self._loses)
            self._other.move(self.main.x, self.main.y)
            self.grid = self._other
        elif not full and self._other is not None:
            self._keep_full_screen(self._other)
            self.grid, self._other = self.main, None
            if keeps_cursor:
                self.main.restore()

    def _keep_full_screen(self, grid: Grid) -> None:
        """What a full screen showed last counts as drawn, though it is gone now."""
        for row in grid.lines:
            drawn = row.drawn_in(self.turn)
            if drawn:
                self.since.add(drawn, wraps=row.wraps)

    def choose_charset(self, slot: int, name: str) -> None:
        """Choose a character set; only the one with lines differs here."""
        self._charsets[slot] = name

    def reset(self) -> None:
        """Be as at the beginning; what stood there counts as scrolled away."""
        self._switch(full=False, keeps_cursor=False)
        cols, rows = self.main.cols, self.main.rows
        self.main.erase_all()
        self.main = Grid(cols, rows, leaves=self._leaves, loses=self._loses)
        self.grid = self.main
        self.modes = {modes.WRAP}
        self._charsets = ["B", "B"]
        self._shift = 0
        self._is_linefeed_new_line = False

    def set_new_line(self, *, on: bool) -> None:
        """Whether a line feed also returns to the first column."""
        self._is_linefeed_new_line = on

    def moved(self) -> None:
        """The cursor was put somewhere: what is drawn there is something new."""
        self._lost = None

    def erase_display(self, how: int) -> None:
        """0 = from the cursor, 1 = up to it, 2 = all; 3 would be the history."""
        grid = self.grid
        if how == 2 or (how == 0 and (grid.x, grid.y) == (0, 0)):  # noqa: PLR2004
            grid.erase_all()
        elif how == 0:
            grid.erase_in_line(0)
            grid.erase_rows(grid.y + 1, grid.rows)
        elif how == 1:
            grid.erase_in_line(1)
            grid.erase_rows(0, grid.y)

    def border(self) -> None:
        """Something that is no text came."""
        self.echo.border()
