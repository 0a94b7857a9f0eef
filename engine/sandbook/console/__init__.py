"""Decides how a run is told to the people who watch it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

from sandbook.console._actions import ActionsConsole
from sandbook.console._plain import PlainConsole
from sandbook.console._summary import verdict
from sandbook.console._telling import Console
from sandbook.console._text import LineReader, clean, duration
from sandbook.console._view import Names, PlanStep, PlanView

__all__ = [
    "ActionsConsole",
    "Console",
    "LineReader",
    "Names",
    "PlainConsole",
    "PlanStep",
    "PlanView",
    "choose",
    "clean",
    "duration",
    "verdict",
]


def choose(
    stream: TextIO, environ: Mapping[str, str], plan: PlanView | None = None
) -> Console:
    """The console that fits where `stream` goes.

    GitHub Actions gets groups, a terminal a live line, everything
    else plain lines. `NO_COLOR` that is not empty takes the colours away.
    """
    view = plan or PlanView()
    colour = not environ.get("NO_COLOR")
    if environ.get("GITHUB_ACTIONS") == "true":
        return ActionsConsole(stream, view, colour=colour)
    if stream.isatty() and environ.get("TERM", "dumb") != "dumb":
        # 40 ms to import, and only terminals need it.
        from sandbook.console._live import LiveConsole

        return LiveConsole(stream, view, colour=colour)
    return PlainConsole(stream, view)
