"""A run that is over, or still going on, told in the words it was told live."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TextIO

from sandbook.cli._words import say
from sandbook.console import Console, PlanView, choose
from sandbook.events import Event
from sandbook.journal import read_journal
from sandbook.report import Report
from sandbook.state import RunFolder


def retell(folder: RunFolder, stream: TextIO, *, with_output: bool) -> None:
    """Give the journal's events to a console, as the run did.

    Raises:
        SandbookError: The journal is missing or damaged.
    """
    report = Report.from_journal(folder.journal, folder.output)
    # Groups belong to the run's own log.
    environ = {k: v for k, v in os.environ.items() if k != "GITHUB_ACTIONS"}
    console = choose(stream, environ, PlanView.of(report))
    try:
        for event in read_journal(folder.journal):
            if with_output and event.name == "step.output":
                _show_output(console, event, folder)
            console.on_event(event)
            if event.name == "step.noted":
                step, text = event.fields.get("step"), event.fields.get("text")
                console.on_note(str(step), str(text))
    finally:
        console.close()
    if not report.is_final:
        say("", *_unfinished(report))


def _show_output(console: Console, event: Event, folder: RunFolder) -> None:
    step, file = event.fields.get("step"), event.fields.get("file")
    if not isinstance(step, str) or not isinstance(file, str):
        return
    try:
        data = (folder.output / file).read_bytes()
    except OSError:
        console.on_note(step, "its output is no longer stored")
        return
    console.on_output(step, "stdout", data)


def _unfinished(report: Report) -> Iterator[str]:
    if report.status == "interrupted":
        yield f"run {report.run} was interrupted: its process is gone"
        yield "  end what it left behind: sandbook reap --yes"
        return
    yield f"run {report.run} is still {report.status.replace('_', ' ')}"
    yield f"  stop it: sandbook runs cancel {report.run} --yes"
