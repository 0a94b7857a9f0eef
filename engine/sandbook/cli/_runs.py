"""The runs of this computer: found by the beginning of an id, told in a row."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbook.api import JSON
from sandbook.cli._words import instant, iso
from sandbook.console._text import duration
from sandbook.errors import RunBusy, SandbookError, UsageError
from sandbook.report import Report
from sandbook.state import RunFolder, State, owner_alive

HEADINGS = ("run", "verdict", "started", "took", "file")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One run as a list shows it; without a `report` its `verdict` says why."""

    id: str
    verdict: str
    report: Report | None

    @property
    def ended_at(self) -> datetime | None:
        """When it ended by itself."""
        return self.report.ended_at if self.report else None

    def cells(self) -> tuple[str, ...]:
        """For people, as `HEADINGS`."""
        if self.report is None:
            return self.id, self.verdict, "-", "-", "-"
        took = duration(self.report.seconds) if self.report.is_final else "-"
        started = instant(self.report.started_at)
        return self.id, self.verdict, started, took, self.report.file

    def as_json(self) -> JSON:
        """For programs; what is not known is null."""
        report = self.report
        return {
            "id": self.id,
            "status": self.verdict,
            "exit": report.exit if report else None,
            "file": report.file if report else None,
            "name": report.name if report else None,
            "started_at": iso(report.started_at) if report else None,
            "ended_at": iso(report.ended_at) if report else None,
            "seconds": report.seconds if report and report.is_final else None,
        }


def newest_first(state: State) -> list[RunFolder]:
    """Every run folder; ids sort by time."""
    names = (entry.name for entry in state.runs.iterdir() if entry.is_dir())
    return [RunFolder(path=state.runs / name) for name in sorted(names, reverse=True)]


def rows(folders: list[RunFolder]) -> Iterator[RunRow]:
    """Each run with its verdict; a damaged journal hides none of the others."""
    return (row(folder) for folder in folders)


def row(folder: RunFolder) -> RunRow:
    """One run."""
    try:
        report = Report.from_journal(folder.journal, folder.output)
    except UsageError:
        begins = owner_alive(folder)
        verdict = "planned" if begins else "interrupted"
        return RunRow(id=folder.run, verdict=verdict, report=None)
    except SandbookError:
        return RunRow(id=folder.run, verdict="unreadable", report=None)
    return RunRow(id=folder.run, verdict=report.status, report=report)


def find_run(state: State, start: str | None) -> RunFolder:
    """The run whose id begins so; without one the newest.

    Raises:
        UsageError: There is none, or more than one.
    """
    folders = newest_first(state)
    if start is None:
        if folders:
            return folders[0]
        raise UsageError("there are no runs yet", remedy="start one: sandbook run FILE")
    fitting = [each for each in folders if start and each.run.startswith(start)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        some = ", ".join(each.run for each in fitting[:5])
        raise UsageError(
            f"{len(fitting)} runs begin with {start!r}: {some}",
            remedy="give more of the id",
        )
    raise UsageError(f"there is no run {start!r}", remedy="list them: sandbook runs")


def is_prunable(run: RunRow, *, before: datetime) -> bool:
    """Whether a run ended by itself, and long enough ago."""
    return run.ended_at is not None and run.ended_at < before


def remove(folder: RunFolder) -> bool:
    """Remove the folder of a run, unless somebody resumes or reads it as owner."""
    try:
        with folder.acquire():
            shutil.rmtree(folder.path)
    except RunBusy:
        return False
    return True


def now() -> datetime:
    """The instant ages are counted from."""
    return datetime.now(UTC)
