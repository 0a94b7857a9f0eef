"""Rows of cells, and who drew them when.

A stamp says of each cell which turn it was drawn in: a turn begins each time the
script types something. A negative stamp is the echo of what was typed in that turn,
0 a cell where nothing was drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sandbook.terminal._width import width_of

BLANK: Final = " "
_MOST_MARKS: Final = 8
"""Combining characters kept on one; more only cost memory."""


class Row:
    """One row; a wide character leaves the cell to its right empty.

    It has cells only as far as something was drawn: a blank screen costs nothing, and
    what was drawn before a screen shrank stays. `wraps` = the text goes on in the row
    below.
    """

    __slots__ = ("cells", "stamps", "wraps")

    def __init__(self) -> None:
        self.cells: list[str] = []
        self.stamps: list[int] = []
        self.wraps = False

    def put(self, start: int, chars: Sequence[str], stamp: int) -> None:
        """Draw narrow characters from a column on."""
        end = start + len(chars)
        self._prepare(start, end)
        kept = self._echo_again(start, end, chars, stamp)
        self.cells[start:end] = chars
        self.stamps[start:end] = kept or [stamp] * (end - start)

    def put_wide(self, column: int, char: str, stamp: int) -> None:
        """Draw one wide character."""
        self._prepare(column, column + 2)
        self.cells[column : column + 2] = (char, "")
        self.stamps[column : column + 2] = (stamp, stamp)

    def mark(self, column: int, char: str) -> None:
        """Add a combining character to what stands in a column, or left of it."""
        self._prepare(column + 1, column + 1)
        while column > 0 and not self.cells[column]:
            column -= 1
        if len(self.cells[column]) <= _MOST_MARKS:
            self.cells[column] += char

    def cut(self, start: int) -> None:
        """Blank everything from a column on."""
        self._split(start, len(self.cells))
        del self.cells[start:], self.stamps[start:]
        self.wraps = False

    def clear(self, start: int, end: int) -> None:
        """Blank some cells."""
        if end >= len(self.cells):
            del self.cells[start:], self.stamps[start:]
            return
        self._split(start, end)
        self.cells[start:end] = [BLANK] * (end - start)
        self.stamps[start:end] = [0] * (end - start)

    def insert(self, column: int, count: int, cols: int) -> None:
        """Push the cells from a column to the right; they fall off at the end."""
        self._prepare(column, column)
        self.cells[column:column] = [BLANK] * count
        self.stamps[column:column] = [0] * count
        del self.cells[cols:], self.stamps[cols:]
        last = self.cells[-1] if self.cells else ""
        if last and width_of(last[0]) == 2:  # noqa: PLR2004 - its right half fell off
            self.cells[-1] = BLANK

    def delete(self, column: int, count: int) -> None:
        """Pull the cells behind some to the left."""
        self._split(column, column + count)
        del self.cells[column : column + count], self.stamps[column : column + count]

    def _prepare(self, start: int, end: int) -> None:
        """Have cells up to where something will be drawn, and no half characters."""
        more = start - len(self.cells)
        if more > 0:
            self.cells += [BLANK] * more
            self.stamps += [0] * more
        self._split(start, end)

    def _split(self, start: int, end: int) -> None:
        """Blank the halves of wide characters that are cut at either border."""
        cells = self.cells
        if 0 < start < len(cells) and not cells[start]:
            cells[start - 1] = cells[start] = BLANK
        if end < len(cells) and not cells[end]:
            cells[end] = BLANK

    def _echo_again(
        self, start: int, end: int, chars: Sequence[str], turn: int
    ) -> list[int] | None:
        """The stamps where a line editor shows an echo again, in another colour."""
        old = self.stamps[start:end]
        if not old or min(old) >= 0:
            return None
        ours = (-turn, 1 - turn)
        kept = [was if was in ours else turn for was in old]
        goes_on = end < len(self.stamps) and self.stamps[end] in ours
        same = all(
            was == new
            for was, new, stamp in zip(self.cells[start:end], chars, old, strict=False)
            if stamp in ours
        )
        if goes_on or not same:
            return None
        return kept + [turn] * (len(chars) - len(kept))

    def text(self) -> str:
        """What stands there; the end of a row that wraps is kept."""
        return self._ended("".join(self.cells))

    def drawn_in(self, turn: int, *, trim: bool = True) -> str:
        """What the program drew in a turn; blanks in the place of all else."""
        if turn not in self.stamps:
            return ""
        pairs = zip(self.cells, self.stamps, strict=True)
        shown = [cell if stamp == turn else BLANK for cell, stamp in pairs]
        if trim:
            return self._ended("".join(shown))
        last = max(i for i, stamp in enumerate(self.stamps) if stamp == turn)
        return "".join(shown[: last + 1])

    def without_echo_of(self, turn: int) -> str:
        """What stands there, without the echo of what was typed in a turn."""
        if -turn not in self.stamps:
            return self.text()
        pairs = zip(self.cells, self.stamps, strict=True)
        shown = "".join(cell if stamp != -turn else BLANK for cell, stamp in pairs)
        return self._ended(shown)

    def _ended(self, text: str) -> str:
        return text if self.wraps else text.rstrip()


def joined(rows: Iterable[tuple[str, bool]]) -> list[str]:
    """Lines of the texts of rows, and whether each goes on in the next."""
    lines: list[str] = []
    pieces: list[str] = []
    for text, wraps in rows:
        pieces.append(text)
        if not wraps:
            lines.append("".join(pieces).rstrip())
            pieces.clear()
    if pieces:
        lines.append("".join(pieces).rstrip())
    return lines
