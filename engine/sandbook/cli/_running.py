"""One run from the command line: its observers, the sweep beside it, its report."""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TextIO

import anyio

from sandbook.api import JSON, RunEnd
from sandbook.cli._main import CANCELLED, error_words
from sandbook.cli._opening import Opened
from sandbook.cli._telling import console_for
from sandbook.cli._words import warn
from sandbook.console import Console
from sandbook.errors import SandbookError, told
from sandbook.events import Event
from sandbook.report import Report
from sandbook.runner import RunRequest, execute
from sandbook.state import RunFolder
from sandbook.sweep import sweep

PRECEDENCE = (130, 70, 2, 3, 4, 1, 5, 0)
"""Exit codes; of several runs the first that any of them has counts."""

_GARBAGE = 20_000
"""Objects that are made before garbage among them is looked for."""

PATIENCE_S = 0.2
"""How long a finished run waits for the sweep beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How runs are told: `level` -1 the verdict only, 1 more than usual."""

    stream: TextIO
    level: int = 0


@dataclass(slots=True)
class _RunName:
    """An observer that remembers which run it is."""

    run: str = field(default="")

    def on_event(self, event: Event) -> None:
        self.run = event.run


def run_book(opened: Opened, request: RunRequest, manner: Manner) -> RunEnd:
    """Run one runbook to its end and keep its report beside its journal.

    What is wrong before it begins is told here, so that the next file still runs.
    """
    console = console_for(opened.book, manner.stream, quiet=manner.level < 0)
    name = _RunName()
    whole = replace(
        request,
        observers=(name, console, *request.observers),
        on_stuck=partial(_leave, console),
    )
    # What is here now stays to the end; what a long run makes is looked through again.
    # Not as often as usual: until the first sandbox is there most of it is loaded code.
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    gc.enable()
    cause = ""
    try:
        code = anyio.run(_execute, opened, whole)
    except SandbookError as error:
        warn(*error_words(error))
        code, cause = error.exit_code, told(error)
    finally:
        console.close()
    report = None
    if name.run:
        report = _keep_report(opened.installation.state.run(name.run), manner)
    return RunEnd(file=str(opened.book.path), exit=code, cause=cause, report=report)


async def _execute(opened: Opened, request: RunRequest) -> int:
    # What a vendor's task raises that we gave up is told by asyncio, as a traceback.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    async with opened.installation as installation:
        error: SandbookError | None = None
        code = 0
        async with anyio.create_task_group() as tasks:
            swept = anyio.Event()

            async def sweep_beside() -> None:
                await sweep(installation)
                swept.set()

            tasks.start_soon(sweep_beside)
            try:
                code = await execute(request, installation)
            except SandbookError as refusal:
                # Out of the task group as it is, not inside a group of errors.
                error = refusal
            with anyio.move_on_after(PATIENCE_S):
                await swept.wait()
            tasks.cancel_scope.cancel()
        if error is not None:
            raise error
        return code


def _leave(console: Console, remaining: Sequence[str]) -> None:
    """Exit at once, at the second signal: say what nobody ended."""
    console.close()
    warn(
        "left at once; clean-up was not finished", *(f"  {each}" for each in remaining)
    )
    if remaining:
        warn("  end it now: sandbook sandboxes kill ID")
    sys.stdout.flush()
    # The interpreter would wait for the threads of the run.
    os._exit(CANCELLED)


def _keep_report(folder: RunFolder, manner: Manner) -> Report | None:
    try:
        report = Report.from_journal(folder.journal, folder.output)
        write_json(folder.report, report.to_json())
    except (SandbookError, OSError) as error:
        warn(f"warning: the report of run {folder.run} could not be kept: {error}")
        return None
    fault = folder.path / "fault.txt"
    if fault.exists():
        warn(
            "this is a fault in Sandbook or a plugin, not in your runbook",
            f"  please report it with the trace in {str(fault)!r}",
        )
    if manner.level > 0:
        warn(f"journal, output and report are in {str(folder.path)!r}")
    return report


def write_json(path: Path, data: Mapping[str, JSON]) -> None:
    """Write a file that is either whole or not there, readable by this user only."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "w", encoding="ascii") as written:
        json.dump(data, written, indent=2)
        written.write("\n")
    fresh.replace(path)


def worst(codes: Iterable[int]) -> int:
    """The code of several runs."""
    found = set(codes)
    return next((code for code in PRECEDENCE if code in found), max(found, default=0))
