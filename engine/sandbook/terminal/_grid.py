"""The rows of a screen and its cursor: what drawing, scrolling and erasing do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sandbook.terminal._rows import Row
from sandbook.terminal._width import width_of

_TAB: Final = 8


@dataclass(frozen=True, slots=True)
class Saved:
    """A cursor put aside."""

    x: int = 0
    y: int = 0
    is_pending: bool = False
    from_top: bool = True


class Grid:
    """One screen. `x`, `y` is the cursor; rows and columns count from 0.

    `is_pending` = the last column was drawn, and the next character wraps. `leaves`
    is told a row that scrolls off the top, `loses` one of which something that the
    program drew is about to go. `last` is where a character was drawn last.
    """

    def __init__(
        self,
        cols: int,
        rows: int,
        *,
        leaves: Callable[[Row], None],
        loses: Callable[[Row], None],
    ) -> None:
        self.cols = cols
        self.rows = rows
        self.x = 0
        self.y = 0
        self.is_pending = False
        self.wraps = True
        self.inserts = False
        self.from_top = True
        self.top = 0
        self.bottom = rows - 1
        self.saved = Saved()
        self.lines = [Row() for _ in range(rows)]
        self.last = (self.lines[0], 0)
        self._tabs = set(range(_TAB, cols, _TAB))
        self._leaves = leaves
        self._loses = loses

    # Drawing.

    def draw_narrow(self, text: str, stamp: int) -> None:
        """Draw characters of one column each."""
        at = 0
        while at < len(text):
            self._wrap_if_pending()
            room = self.cols - self.x
            if not self.wraps and len(text) - at > room:
                # All that follows is drawn over the last column.
                text = text[: at + room - 1] + text[-1]
            piece = text[at : at + room]
            self._place(piece, stamp)
            at += len(piece)

    def _place(self, piece: str, stamp: int) -> None:
        row = self.lines[self.y]
        if self.inserts:
            row.insert(self.x, len(piece), self.cols)
        end = self.x + len(piece)
        if stamp in row.stamps[self.x : end] and row.cells[self.x : end] != list(piece):
            self._loses(row)
        self.last = (row, self.x)
        row.put(self.x, piece, stamp)
        self._advance(len(piece))

    def draw_char(self, char: str, stamp: int) -> bool:
        """Draw one character of any width; False = it joined the one before."""
        width = width_of(char)
        if width == 0:
            self._join(char)
            return False
        if width == 1:
            self.draw_narrow(char, stamp)
            return True
        if self.cols < width:
            return False
        self._wrap_if_pending()
        if self.x + width > self.cols:
            self._wrap_wide()
        row = self.lines[self.y]
        if stamp in row.stamps[self.x : self.x + 2] and row.cells[self.x] != char:
            self._loses(row)
        if self.inserts:
            row.insert(self.x, width, self.cols)
        self.last = (row, self.x)
        row.put_wide(self.x, char, stamp)
        self._advance(width)
        return True

    def _join(self, char: str) -> None:
        column = self.x if self.is_pending else self.x - 1
        if column >= 0:
            self.lines[self.y].mark(column, char)

    def _advance(self, width: int) -> None:
        self.x += width
        if self.x >= self.cols:
            self.x = self.cols - 1
            self.is_pending = self.wraps

    def _wrap_if_pending(self) -> None:
        if self.is_pending:
            self._wrap()

    def _wrap_wide(self) -> None:
        """A wide character that does not fit leaves the last column empty."""
        if not self.wraps:
            self.x = self.cols - 2
            return
        self.lines[self.y].cut(self.x)
        self._wrap()

    def _wrap(self) -> None:
        self.is_pending = False
        self.lines[self.y].wraps = True
        self.x = 0
        self.feed_line()

    # Moving.

    def move(self, x: int, y: int) -> None:
        """Put the cursor somewhere; it stays on the screen."""
        self.is_pending = False
        self.x = min(max(x, 0), self.cols - 1)
        self.y = min(max(y, 0), self.rows - 1)

    def move_to(self, x: int, y: int) -> None:
        """Put it at an address, which may count from the top margin."""
        if not self.from_top:
            self.move(x, min(max(y + self.top, self.top), self.bottom))
            return
        self.move(x, y)

    def move_by(self, x: int, y: int) -> None:
        """Move it; up and down no further than a margin that is on the way."""
        target = self.y + y
        if y < 0 and self.y >= self.top:
            target = max(target, self.top)
        elif y > 0 and self.y <= self.bottom:
            target = min(target, self.bottom)
        self.move(self.x + x, target)

    def tab(self, count: int = 1) -> None:
        """Go to a tab stop to the right, or to the left where `count` is negative."""
        stops = sorted(self._tabs, reverse=count < 0)
        ahead = [t for t in stops if (t > self.x if count > 0 else t < self.x)]
        edge = self.cols - 1 if count > 0 else 0
        self.move(ahead[abs(count) - 1] if abs(count) <= len(ahead) else edge, self.y)

    def set_tab(self) -> None:
        """Make this column a tab stop."""
        self._tabs.add(self.x)

    def clear_tabs(self, *, every: bool) -> None:
        """Take away this tab stop, or all of them."""
        self._tabs = set[int]() if every else self._tabs - {self.x}

    def save(self) -> None:
        """Remember the cursor."""
        self.saved = Saved(self.x, self.y, self.is_pending, self.from_top)

    def restore(self) -> None:
        """Put it back."""
        saved = self.saved
        self.from_top = saved.from_top
        self.move(saved.x, saved.y)
        self.is_pending = saved.is_pending and self.x == self.cols - 1

    # Scrolling.

    def set_margins(self, top: int, bottom: int) -> None:
        """Scroll only between these rows; nonsense is ignored."""
        bottom = min(bottom, self.rows - 1)
        if 0 <= top < bottom:
            self.top, self.bottom = top, bottom
            self.move_to(0, 0)

    def feed_line(self) -> None:
        """One row down, scrolling at the bottom margin."""
        self.is_pending = False
        if self.y == self.bottom:
            self.scroll_up(1)
        elif self.y < self.rows - 1:
            self.y += 1

    def feed_back(self) -> None:
        """One row up, scrolling at the top margin."""
        self.is_pending = False
        if self.y == self.top:
            self.scroll_down(1)
        elif self.y > 0:
            self.y -= 1

    def scroll_up(self, count: int) -> None:
        """Move the rows between the margins up."""
        for _ in range(min(count, self.bottom - self.top + 1)):
            row = self.lines.pop(self.top)
            self.lines.insert(self.bottom, Row())
            (self._leaves if self.top == 0 else self._loses)(row)

    def scroll_down(self, count: int) -> None:
        """Move the rows between the margins down."""
        for _ in range(min(count, self.bottom - self.top + 1)):
            self._loses(self.lines.pop(self.bottom))
            self.lines.insert(self.top, Row())

    def insert_lines(self, count: int) -> None:
        """Push the rows from the cursor down."""
        self._from_cursor(count, down=True)

    def delete_lines(self, count: int) -> None:
        """Pull the rows below the cursor up."""
        self._from_cursor(count, down=False)

    def _from_cursor(self, count: int, *, down: bool) -> None:
        if not self.top <= self.y <= self.bottom:
            return
        at_once = min(count, self.bottom - self.y + 1)
        taken, made = (self.bottom, self.y) if down else (self.y, self.bottom)
        for _ in range(at_once):
            self._loses(self.lines.pop(taken))
            self.lines.insert(made, Row())
        self.move(0, self.y)

    # Erasing.

    def insert_chars(self, count: int) -> None:
        """Push the rest of the row to the right."""
        self._touch().insert(self.x, min(count, self.cols - self.x), self.cols)

    def delete_chars(self, count: int) -> None:
        """Pull the rest of the row to the left."""
        self._touch().delete(self.x, min(count, self.cols - self.x))

    def erase_chars(self, count: int) -> None:
        """Blank some cells from the cursor on."""
        self._touch().clear(self.x, min(self.x + count, self.cols))

    def erase_in_line(self, how: int) -> None:
        """0 = from the cursor, 1 = up to it, 2 = all of it."""
        row = self._touch()
        if how == 1:
            row.clear(0, self.x + 1)
        else:
            row.cut(self.x if how == 0 else 0)

    def erase_rows(self, start: int, end: int) -> None:
        """Blank whole rows."""
        for index in range(start, end):
            self._loses(self.lines[index])
            self.lines[index] = Row()

    def erase_all(self) -> None:
        """Blank everything; what stood there leaves as if it had scrolled away."""
        used = max((i + 1 for i, row in enumerate(self.lines) if row.cells), default=0)
        for row in self.lines[:used]:
            self._leaves(row)
        self.lines[:] = [Row() for _ in range(self.rows)]

    def fill(self, char: str) -> None:
        """Draw one character everywhere."""
        for row in self.lines:
            self._loses(row)
            row.put(0, char * self.cols, 0)
        self.move(0, 0)

    def _touch(self) -> Row:
        self.is_pending = False
        row = self.lines[self.y]
        self._loses(row)
        return row

    # Size.

    def resize(self, cols: int, rows: int) -> None:
        """Have another size; nothing that stands there is lost."""
        self._fit_rows(rows)
        self._tabs |= set(range(_TAB, cols, _TAB)) - set(range(self.cols))
        self.cols, self.rows = cols, rows
        self.top, self.bottom = 0, rows - 1
        self.move(self.x, self.y)

    def _fit_rows(self, rows: int) -> None:
        """Drop empty rows below the cursor first; then those at the top leave."""
        while len(self.lines) > rows:
            last = self.lines[-1]
            if self.y < len(self.lines) - 1 and not last.text():
                self.lines.pop()
                continue
            self._leaves(self.lines.pop(0))
            self.y = max(0, self.y - 1)
        self.lines += [Row() for _ in range(rows - len(self.lines))]
