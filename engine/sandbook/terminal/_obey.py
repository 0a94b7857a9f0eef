"""What each sequence asks of a display."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from sandbook.terminal import _modes as modes
from sandbook.terminal._display import Display
from sandbook.terminal._grid import Grid
from sandbook.terminal._parser import Sequence


class Obeys:
    """Does on a display what the parser finds."""

    def __init__(self, display: Display) -> None:
        self._display = display

    def draw(self, text: str) -> None:
        self._display.draw(text)

    def control(self, char: str) -> None:
        self._display.control(char)

    def border(self) -> None:
        self._display.border()

    def sequence(self, found: Sequence) -> None:
        self._display.border()
        if found.final in "HfABCDEFGd`e" and not found.prefix:
            self._display.moved()
        obey = _SEQUENCES.get((found.prefix, found.between, found.final))
        if obey is not None:
            obey(self._display, found)

    def escape(self, before: str, last: str) -> None:
        self._display.border()
        if before in ("(", ")"):
            self._display.choose_charset("()".index(before), last)
            return
        obey = _ESCAPES.get(before + last)
        if obey is not None:
            obey(self._display)

    def string(self, kind: str, text: str) -> None:
        self._display.border()
        answer = modes.answer_to_string(kind, text)
        if answer:
            self._display.reply(answer)


def _numbers(found: Sequence) -> Iterator[int]:
    return (number for number in found.numbers if number is not None)


def _private(display: Display, found: Sequence) -> None:
    for mode in _numbers(found):
        display.set_mode(mode, on=found.final == "h")


def _ansi(display: Display, found: Sequence) -> None:
    for mode in _numbers(found):
        if mode == 4:  # noqa: PLR2004 - IRM
            display.grid.inserts = found.final == "h"
        elif mode == 20:  # noqa: PLR2004 - LNM
            display.set_new_line(on=found.final == "h")


def _status(display: Display, found: Sequence) -> None:
    x, y = display.grid.x, display.grid.y
    if found.number(0, 0) == 5 and not found.prefix:  # noqa: PLR2004 - DSR
        display.reply(modes.STATUS)
    elif found.number(0, 0) == 6:  # noqa: PLR2004 - CPR
        top = 0 if display.grid.from_top else display.grid.top
        display.reply(f"\x1b[{found.prefix}{y - top + 1};{x + 1}R")


def _ask_mode(display: Display, found: Sequence) -> None:
    mode = found.number(0, 0)
    known = display.is_set(mode) if found.prefix else 0
    display.reply(f"\x1b[{found.prefix}{mode};{known}$y")


def _ask_window(display: Display, found: Sequence) -> None:
    if found.number(0, 0) == 18:  # noqa: PLR2004 - the size in characters
        grid = display.grid
        display.reply(f"\x1b[8;{grid.rows};{grid.cols}t")


def _address(display: Display, found: Sequence) -> None:
    display.grid.move_to(found.number(1, 1) - 1, found.number(0, 1) - 1)


def _margins(display: Display, found: Sequence) -> None:
    rows = display.grid.rows
    display.grid.set_margins(found.number(0, 1) - 1, found.number(1, rows) - 1)


def _next_line(display: Display) -> None:
    display.grid.feed_line()
    display.grid.move(0, display.grid.y)


def _plain(do: Callable[[Grid, int], None]) -> Callable[[Display, Sequence], None]:
    """A sequence whose one number is 1 where it is missing."""
    return lambda display, found: do(display.grid, found.number(0, 1))


_SEQUENCES: Final[
    Mapping[tuple[str, str, str], Callable[[Display, Sequence], None]]
] = {
    ("", "", "A"): _plain(lambda grid, n: grid.move_by(0, -n)),
    ("", "", "B"): _plain(lambda grid, n: grid.move_by(0, n)),
    ("", "", "e"): _plain(lambda grid, n: grid.move_by(0, n)),
    ("", "", "C"): _plain(lambda grid, n: grid.move_by(n, 0)),
    ("", "", "a"): _plain(lambda grid, n: grid.move_by(n, 0)),
    ("", "", "D"): _plain(lambda grid, n: grid.move_by(-n, 0)),
    ("", "", "E"): _plain(lambda grid, n: grid.move_by(-grid.x, n)),
    ("", "", "F"): _plain(lambda grid, n: grid.move_by(-grid.x, -n)),
    ("", "", "G"): _plain(lambda grid, n: grid.move(n - 1, grid.y)),
    ("", "", "`"): _plain(lambda grid, n: grid.move(n - 1, grid.y)),
    ("", "", "d"): _plain(lambda grid, n: grid.move_to(grid.x, n - 1)),
    ("", "", "I"): _plain(lambda grid, n: grid.tab(n)),
    ("", "", "Z"): _plain(lambda grid, n: grid.tab(-n)),
    ("", "", "@"): _plain(lambda grid, n: grid.insert_chars(n)),
    ("", "", "P"): _plain(lambda grid, n: grid.delete_chars(n)),
    ("", "", "X"): _plain(lambda grid, n: grid.erase_chars(n)),
    ("", "", "L"): _plain(lambda grid, n: grid.insert_lines(n)),
    ("", "", "M"): _plain(lambda grid, n: grid.delete_lines(n)),
    ("", "", "S"): _plain(lambda grid, n: grid.scroll_up(n)),
    ("", "", "T"): _plain(lambda grid, n: grid.scroll_down(n)),
    ("", "", "b"): lambda display, found: display.repeat(found.number(0, 1)),
    ("", "", "H"): _address,
    ("", "", "f"): _address,
    ("", "", "J"): lambda display, found: display.erase_display(found.number(0, 0)),
    ("?", "", "J"): lambda display, found: display.erase_display(found.number(0, 0)),
    ("", "", "K"): lambda display, found: display.grid.erase_in_line(
        found.number(0, 0)
    ),
    ("?", "", "K"): lambda display, found: display.grid.erase_in_line(
        found.number(0, 0)
    ),
    ("", "", "g"): lambda display, found: display.grid.clear_tabs(
        every=found.number(0, 0) == 3  # noqa: PLR2004
    ),
    ("", "", "r"): _margins,
    ("", "", "s"): lambda display, _: display.grid.save(),
    ("", "", "u"): lambda display, _: display.grid.restore(),
    ("", "", "h"): _ansi,
    ("", "", "l"): _ansi,
    ("?", "", "h"): _private,
    ("?", "", "l"): _private,
    ("", "", "n"): _status,
    ("?", "", "n"): _status,
    ("", "$", "p"): _ask_mode,
    ("?", "$", "p"): _ask_mode,
    ("", "", "c"): lambda display, _: display.reply(modes.PRIMARY),
    (">", "", "c"): lambda display, _: display.reply(modes.SECONDARY),
    (">", "", "q"): lambda display, _: display.reply(modes.VERSION),
    ("", "", "t"): _ask_window,
    ("", "!", "p"): lambda display, _: display.grid.set_margins(
        0, display.grid.rows - 1
    ),
}
_ESCAPES: Final[Mapping[str, Callable[[Display], None]]] = {
    "7": lambda display: display.grid.save(),
    "8": lambda display: display.grid.restore(),
    "D": lambda display: display.grid.feed_line(),
    "E": _next_line,
    "H": lambda display: display.grid.set_tab(),
    "M": lambda display: display.grid.feed_back(),
    "Z": lambda display: display.reply(modes.PRIMARY),
    "c": lambda display: display.reset(),
    "#8": lambda display: display.grid.fill("E"),
}
