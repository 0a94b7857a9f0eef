"""Tells a run in plain lines, for pipes and files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from sandbook.console._lines import Line, encodable, signs_for, text_of
from sandbook.console._telling import Telling
from sandbook.console._text import clean
from sandbook.console._view import PlanView


class PlainConsole(Telling):
    """One line a fact, without colours and without moving the cursor."""

    def __init__(self, stream: TextIO, plan: PlanView | None = None) -> None:
        super().__init__(plan or PlanView(), signs_for(stream.encoding))
        self._stream = stream

    def _write(self, *lines: Line) -> None:
        write_lines(self._stream, (text_of(_cleaned(line)) for line in lines))


def write_lines(stream: TextIO, lines: Iterable[str]) -> None:
    """Write lines now; what the stream cannot encode is spelt out."""
    text = "".join(f"{line}\n" for line in lines)
    stream.write(encodable(text, stream.encoding))
    stream.flush()


def _cleaned(line: Line) -> Line:
    return tuple(
        (style, clean(text) if style == "foreign" else text) for style, text in line
    )
