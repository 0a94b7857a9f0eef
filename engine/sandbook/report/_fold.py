"""Decides what a sequence of events amounts to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from sandbook.errors import SandbookError
from sandbook.events import Event
from sandbook.report._fields import Fields, entries, number, text, texts, whole
from sandbook.report._model import ProviderAttempt, Report
from sandbook.report._sandboxes import SandboxFold
from sandbook.report._steps import StepFold, count


class ReportFold:
    """Takes events one by one; `report` tells at any time what they amount to.

    Events that it does not know change nothing. It is an observer of a run.
    """

    def __init__(self) -> None:
        self._steps = StepFold()
        self._sandboxes = SandboxFold()
        self._attempts: list[ProviderAttempt] = []
        self._started: Event | None = None
        self._finished: Event | None = None
        self._last: Event | None = None
        self._status = "planned"
        self._cancelled_by: str | None = None
        self._resumed = 0
        self._notes: list[str] = []
        self._runs: Mapping[str, Callable[[Event], None]] = {
            "run.started": self._on_started,
            "provider.tried": self._on_tried,
            "finally.started": self._on_finally,
            "run.cancelling": self._on_cancelling,
            "run.resumed": self._on_resumed,
            "run.finished": self._on_finished,
        }

    def add(self, event: Event) -> None:
        """Take the next event."""
        self._last = event
        if event.name == "step.noted" and not text(event.fields, "step"):
            self._notes.append(text(event.fields, "text") or "")
        elif event.name.startswith("step."):
            self._on_step(event)
        elif event.name.startswith("sandbox."):
            self._sandboxes.add(event)
        elif take := self._runs.get(event.name):
            take(event)

    on_event = add

    def report(self) -> Report:
        """The report so far; raises `SandbookError` while no run has started."""
        if self._started is None or self._last is None:
            raise SandbookError(
                "the journal tells of no run: it ended before its first event",
                remedy="start the runbook again",
            )
        begun, ended = self._started.fields, self._finished
        last: Fields = ended.fields if ended else {}
        steps = self._steps.reports()
        failed = self._steps.first_failed(steps)
        red = ended is None or self._status != "passed"
        return Report(
            run=self._started.run,
            status=self._status,
            exit=whole(last, "exit"),
            started_at=self._started.at,
            ended_at=ended.at if ended else None,
            seconds=_seconds(self._started.at, self._last.at),
            file=text(begun, "file") or "",
            name=text(begun, "name"),
            cause=text(last, "cause") or (failed.cause if failed and red else None),
            failed_step=failed.path if failed and red else None,
            inputs=entries(begun, "inputs"),
            chain=texts(begun, "chain"),
            floor=text(begun, "floor"),
            versions=entries(begun, "versions"),
            installation=text(begun, "installation"),
            cancelled_by=self._cancelled_by,
            resumed=self._resumed,
            attempts=tuple(self._attempts),
            sandboxes=self._sandboxes.reports(),
            steps=steps,
            totals=count(steps),
            quota=self._sandboxes.quota(_quota(last), now=self._last.at),
            artifacts=texts(last, "artifacts"),
            artifacts_folder=text(last, "artifacts_folder"),
            notes=tuple(self._notes),
            outputs=entries(last, "outputs"),
        )

    def _on_started(self, event: Event) -> None:
        self._started = event
        self._status = "running"
        about = entries(event.fields, "planned")
        self._steps.plan(entries(event.fields, "step_hashes"), about)

    def _on_tried(self, event: Event) -> None:
        self._attempts.append(
            ProviderAttempt(
                provider=text(event.fields, "provider") or "",
                outcome=text(event.fields, "outcome") or "",
                reason=text(event.fields, "reason") or "",
                seconds=number(event.fields, "seconds"),
            )
        )

    def _on_step(self, event: Event) -> None:
        if self._status == "resuming":
            self._status = "running"
        self._steps.add(event)

    def _on_finally(self, _: Event) -> None:
        self._status = "finishing"

    def _on_cancelling(self, event: Event) -> None:
        self._cancelled_by = text(event.fields, "by")

    def _on_resumed(self, _: Event) -> None:
        self._status = "resuming"
        self._resumed += 1

    def _on_finished(self, event: Event) -> None:
        self._finished = event
        self._status = text(event.fields, "status") or "internal_error"


def fold(events: Iterable[Event]) -> Report:
    """What these events amount to."""
    folded = ReportFold()
    for event in events:
        folded.add(event)
    return folded.report()


def _seconds(start: datetime, end: datetime) -> float:
    # The clock of the computer may have been set back in between.
    return max(0.0, (end - start).total_seconds())


def _quota(finished: Fields) -> Fields:
    return entries(entries(finished, "totals"), "quota")
