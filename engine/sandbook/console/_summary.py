"""Decides what is said at the end: verdict, cause, what is left, what to do next."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath

from sandbook.api import JSON
from sandbook.console._lines import Line, Signs, Span, Style
from sandbook.console._text import clean, counted, duration, moment
from sandbook.console._view import Names
from sandbook.report import QuotaUse, Report, SandboxReport, StepReport, Totals

_KEY = 9
_OTHERS = 5
_FILES = 5
_NO_PROVIDER = 3
_TEARDOWN_FAILED = 5

_VERDICTS = {
    "passed": "passed",
    "failed": "failed",
    "timed_out": "ran out of time",
    "cancelled": "was cancelled",
    "refused": "was refused",
    "internal_error": "hit a fault in Sandbook",
}


def summary(
    report: Report, names: Names, signs: Signs, *, title: str, tail: Sequence[str]
) -> Iterator[Line]:
    """The lines that end the telling of a run; `tail` is the failed step's output."""
    yield ()
    yield _verdict(report, signs, title)
    yield from _rows("cause", (report.cause or "").splitlines(), style="bad")
    if report.failed_step is not None:
        yield from _rows("step", [names.trail(report.failed_step)])
        yield from _rows("at", [names.place(report.failed_step)])
    yield from _rows(
        "output", [f"{signs.bar} {line}" for line in tail], style="foreign"
    )
    yield from _rows("also", _others(report, names))
    if not report.sandboxes:
        yield from _rows(
            "tried", [f"{a.provider}: {a.reason}" for a in report.attempts]
        )
    yield from _rows(
        "outputs", [f"{k} = {_value(v)}" for k, v in report.outputs.items()]
    )
    yield from _rows("kept", _kept(report))
    yield from _rows("sandbox", [_sandbox(box, report) for box in report.sandboxes])
    yield from _rows(
        "quota", [_quota(u) for u in report.quota if u.month_used is not None]
    )
    yield from _next(report)


def verdict(report: Report) -> str:
    """How the run ended, in a line."""
    _, title, rest = _verdict(report, Signs(), title_of(report))
    return title[1] + rest[1]


def title_of(report: Report, planned: str = "") -> str:
    """What the run is called: as planned, else as it was told, else as its file."""
    return clean(planned or report.name or PurePath(report.file).name)


def _verdict(report: Report, signs: Signs, title: str) -> tuple[Span, Span, Span]:
    took = duration(report.seconds)
    by = f" by {clean(report.cancelled_by)}" if report.cancelled_by else ""
    said = _VERDICTS.get(report.status, report.status)
    if report.exit == _TEARDOWN_FAILED:
        said = "passed, but a teardown failed"
    style: Style = "good" if report.exit == 0 else "bad"
    sign = signs.passed if report.exit == 0 else signs.failed
    counts = _counts(report.totals, passed=report.status == "passed")
    return (
        (style, f"{sign} "),
        ("strong", f"{title} {said}{by}"),
        ("plain", f" after {took}: {counts}"),
    )


def _counts(totals: Totals, *, passed: bool) -> str:
    every = (
        (totals.passed, "passed"),
        (totals.failed, "failed"),
        (totals.allowed, "failed (allowed)"),
        (totals.cancelled, "cancelled"),
        (totals.skipped, "skipped"),
        (
            totals.pending + totals.started,
            "not run" if not totals.started else "not ended",
        ),
    )
    told = [(number, word) for number, word in every if number]
    if not any(number for number, word in told if not word.startswith("not ")):
        return "nothing ran"
    if passed and len(told) == 1:
        return counted(totals.passed, "step")
    return ", ".join(f"{number} {word}" for number, word in told)


def _rows(key: str, values: Iterable[str], *, style: Style = "plain") -> Iterator[Line]:
    shown = key
    for value in values:
        if value:
            text = value if style == "foreign" else clean(value)
            yield (("dim", f"  {shown:<{_KEY}}"), (style, text))
            shown = ""


def _others(report: Report, names: Names) -> list[str]:
    """Further steps that failed, in `finally` for example."""
    every = (step for top in report.steps for step in top.walk())
    failed = [
        f"{names.label(step.path)}: {_first_line(step.cause or step.status)}"
        for step in every
        if _is_another(step, report)
    ]
    more = len(failed) - _OTHERS
    return failed[:_OTHERS] + ([f"and {more} more"] if more > 0 else [])


def _is_another(step: StepReport, report: Report) -> bool:
    return (
        step.status in ("failed", "timed_out", "lost")
        and not step.allowed
        and not step.children
        and step.path != report.failed_step
    )


def _kept(report: Report) -> list[str]:
    """The artifacts, and where they are."""
    files = report.kept
    if not files or report.artifacts_folder is None:
        return []
    more = len(files) - _FILES
    names = ", ".join(files[:_FILES]) + (f" and {more} more" if more > 0 else "")
    return [f"{names} in {_from_here(report.artifacts_folder)}"]


def _from_here(folder: str) -> str:
    """A path as short as it can be typed here."""
    path, here = Path(folder), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else folder


def _sandbox(box: SandboxReport, report: Report) -> str:
    what = f"{box.name} on {box.provider} ({box.isolation})"
    if box.ended_at is not None:
        return f"{what}, ended"
    now = report.ended_at or report.started_at
    if box.expires_at is None:
        return f"{what}, lives on without an end: `sandbook reap` ends it"
    return f"{what}, lives until {moment(box.expires_at, now)}"


def _quota(use: QuotaUse) -> str:
    mine = f"{counted(use.sessions, 'session')}, {use.seconds}s"
    if use.month_limit is None:
        month = counted(use.month_used or 0, "session")
    else:
        month = f"{use.month_used} of {counted(use.month_limit, 'session')}"
    return f"{use.provider}: {mine}; {month} this month"


def _next(report: Report) -> Iterator[Line]:
    commands = list(_commands(report))
    width = max((len(command) for command, _ in commands), default=0)
    key = "next"
    for command, why in commands:
        yield (
            ("dim", f"  {key:<{_KEY}}"),
            ("strong", command.ljust(width)),
            ("dim", f"  {why}"),
        )
        key = ""


def _commands(report: Report) -> Iterator[tuple[str, str]]:
    """What helps now, the most useful first."""
    ran = bool(report.sandboxes)
    if report.alive:
        yield f"sandbook shell {report.run}", "look around in the sandbox"
    elif ran and report.status == "failed":
        again = f"sandbook run {shlex.quote(clean(report.file))} --keep"
        yield again, "run it again and keep the sandbox"
    if report.alive and report.exit == _TEARDOWN_FAILED:
        yield "sandbook reap", "end what is left"
    if report.exit == _NO_PROVIDER:
        yield "sandbook doctor", "see what each provider still needs"
    if report.exit != 0 and ran:
        yield f"sandbook show {report.run} --output", "see every step with its output"


def _value(value: JSON) -> str:
    """As the language writes it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
