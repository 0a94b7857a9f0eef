"""Tells a run in the log of GitHub Actions: a group per step.

What failed is marked in the files by the reporter `github`, once the run is over.

The log obeys lines that begin `::` and any text `##[`. Output of a step stands where
commands are switched off by a token that no sandbox knows, and both signs are taken
out of every line that is not a command of ours.
https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

import secrets
from typing import TextIO

from sandbook.console._lines import Line, signs_for
from sandbook.console._plain import write_lines
from sandbook.console._telling import Telling
from sandbook.console._text import clean, clean_coloured
from sandbook.console._view import PlanView
from sandbook.events import Event

_SGR = {"strong": "1", "dim": "2", "good": "32", "bad": "31", "warn": "33"}


class ActionsConsole(Telling):
    """Plain lines with groups, in colour."""

    def __init__(
        self, stream: TextIO, plan: PlanView | None = None, *, colour: bool = True
    ) -> None:
        super().__init__(plan or PlanView(), signs_for(stream.encoding))
        self._stream = stream
        self._colour = colour
        self._token = secrets.token_hex(16)
        self._group: str | None = None

    def on_event(self, event: Event) -> None:
        """Tell what happened, with the group of the outermost step around it."""
        step = event.fields.get("step")
        if event.name == "step.started" and self._group is None:
            self._open(event)
            return
        if event.name == "step.finished" and step == self._group:
            self._flush(self._group or "")
            self._close_group()
        super().on_event(event)

    def close(self) -> None:
        """Show what is left of the output and switch commands on again."""
        super().close()
        self._close_group()

    def _open(self, event: Event) -> None:
        """Begin the group; its title stands for the line that the step started."""
        self._fold.add(event)
        self._names.learn(event)
        (line,) = self._step_started(event)
        self._group = str(event.fields["step"])
        self._command("group", "".join(text for _, text in line))
        self._command("stop-commands", self._token)

    def _close_group(self) -> None:
        if self._group is not None:
            self._group = None
            self._command(self._token, "")
            self._command("endgroup", "")

    def _command(self, command: str, data: str) -> None:
        write_lines(self._stream, (f"::{command}::{_data(data)}",))

    def _write(self, *lines: Line) -> None:
        shown = ("".join(self._styled(*span) for span in line) for line in lines)
        write_lines(self._stream, (_disarmed(line.rstrip()) for line in shown))

    def _styled(self, style: str, text: str) -> str:
        if style == "foreign":
            return clean_coloured(text) if self._colour else clean(text)
        if not self._colour or style not in _SGR or not text.strip():
            return text
        return f"\x1b[{_SGR[style]}m{text}\x1b[0m"


def _disarmed(text: str) -> str:
    text = text.replace("##[", "# #[")
    return text.replace("::", ": :", 1) if text.lstrip().startswith("::") else text


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
