"""How a run is told by `sandbook run`: on which stream, and how much of it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TextIO

from sandbook.api import StreamName
from sandbook.cli._steps import view_of
from sandbook.cli._words import warn
from sandbook.console import Console, PlainConsole, choose
from sandbook.console._lines import Line
from sandbook.errors import Problem
from sandbook.events import Event
from sandbook.problems import render
from sandbook.runbook import Runbook


class VerdictConsole(PlainConsole):
    """Says how a run ended, and nothing before."""

    _is_over = False

    def on_event(self, event: Event) -> None:
        """Learn what happened; tell the last of it."""
        self._is_over = event.name == "run.finished"
        super().on_event(event)

    def on_output(self, step: str, stream: StreamName, data: bytes) -> None:
        """Keep the last lines: a failed step's are told at the end."""
        super().on_output(step, stream, data)
        # What ran right before the end was not shown here.
        self._spoke = None

    def on_note(self, step: str, text: str) -> None:
        """Nothing."""

    def _write(self, *lines: Line) -> None:
        if self._is_over:
            # Nothing stands above that an empty line would keep apart.
            super()._write(*(line for line in lines if line))


def console_for(book: Runbook, stream: TextIO, *, quiet: bool) -> Console:
    """Who tells the run."""
    view = view_of(book)
    if quiet:
        return VerdictConsole(stream, view)
    return choose(stream, os.environ, view)


def tell_warnings(problems: Iterable[Problem]) -> None:
    """Warnings of the file, before anything runs."""
    for problem in problems:
        warn(render(problem), "")
