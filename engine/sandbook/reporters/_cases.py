"""Decides what of a run counts as a test, and how each of them came out.

A test is a step without steps below it, or one item of its loop: what `Totals` counts.
A step around others is one only where it failed by itself. A run that is not green
always has a test that is not: what no step tells is a test of its own.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sandbook.console import Names, PlanView, clean
from sandbook.report import FAILED, Report, StepReport

Verdict = Literal["passed", "failed", "error", "skipped"]

_CHECKOUTS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR", "WORKSPACE")
"""Where GitHub, GitLab and Jenkins name the folder that paths are relative to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test; `name` is unique in its run, `cause` says why it did not pass.

    `file` and `line` are its place, nothing where it has none. "failed" is what the
    runbook says of the thing it looks at, "error" what kept it from looking.
    """

    name: str
    section: str
    file: str
    line: int | None
    verdict: Verdict
    status: str
    cause: str = ""
    step: StepReport | None = None
    allowed: bool = False


def cases_of(report: Report, environ: Mapping[str, str]) -> tuple[Case, ...]:
    """The tests of a run, in the order of the plan."""
    found = list(_Reader(report, environ).cases())
    is_red = report.exit != 0
    if is_red and not any(case.verdict in ("failed", "error") for case in found):
        found.append(_of_run(report, environ))
    return tuple(_numbered(found))


def shown_path(file: str, environ: Mapping[str, str]) -> str:
    """The path as the service that reads the report knows it."""
    if not file or file.startswith("<"):
        return file
    chosen = next((environ[name] for name in _CHECKOUTS if environ.get(name)), "")
    path = Path(os.path.abspath(file))  # noqa: PTH100 (a link stays what it is called)
    for base in (chosen, os.getcwd()):  # noqa: PTH109 (as above)
        if base and path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return path.as_posix()


class _Reader:
    def __init__(self, report: Report, environ: Mapping[str, str]) -> None:
        self._report = report
        self._environ = environ
        self._names = Names(PlanView.of(report))

    def cases(self) -> Iterator[Case]:
        for step in self._report.steps:
            yield from self._below(step, pardoned=False)

    def _below(self, step: StepReport, *, pardoned: bool) -> Iterator[Case]:
        # What failed in one try of a step that passed at last does not count either.
        pardoned = pardoned or step.allowed or _is_mended(step)
        inner = [
            case
            for child in step.children
            for case in self._below(child, pardoned=pardoned)
        ]
        yield from inner
        told = any(case.verdict in ("failed", "error") for case in inner)
        alone = step.status in FAILED and not pardoned and not told
        if alone or not inner:
            yield self._case(step, pardoned=pardoned)

    def _case(self, step: StepReport, *, pardoned: bool) -> Case:
        verdict, cause = _verdict(step, self._report, pardoned=pardoned)
        file, line = _place(step.at or "")
        return Case(
            name=self._names.trail(step.path),
            section=step.path.partition("[")[0],
            file=shown_path(file, self._environ),
            line=line,
            verdict=verdict,
            status=step.status,
            cause=cause,
            step=step,
            allowed=pardoned and step.status in FAILED,
        )


def _is_mended(step: StepReport) -> bool:
    return bool(step.children) and step.status == "passed"


def _verdict(
    step: StepReport, report: Report, *, pardoned: bool
) -> tuple[Verdict, str]:
    status = step.status
    cause = step.cause or status.replace("_", " ")
    plain: dict[str, tuple[Verdict, str]] = {
        "passed": ("passed", ""),
        "pending": ("skipped", "it did not run"),
        "started": ("error", "it has not ended"),
        "skipped": ("skipped", cause),
    }
    if status in plain:
        return plain[status]
    if pardoned:
        return "skipped", f"failed, which does not count: {cause}"
    if status == "failed" and report.status not in ("refused", "internal_error"):
        return "failed", cause
    # The failure of a step beside it ended it: that one tells why.
    is_victim = status == "cancelled" and report.status == "failed"
    return ("skipped" if is_victim else "error"), cause


def _place(at: str) -> tuple[str, int | None]:
    """File and line of `file:line:col`."""
    file, _, line = at.rpartition(":")[0].rpartition(":")
    return (file, int(line)) if line.isdecimal() else ("", None)


def _of_run(report: Report, environ: Mapping[str, str]) -> Case:
    status = report.status.replace("_", " ")
    return Case(
        name="the run itself",
        section="steps",
        file=shown_path(report.file, environ),
        line=None,
        verdict="failed" if report.exit == 1 else "error",
        status=report.status,
        cause=report.cause or f"it is {status}",
    )


def _numbered(cases: list[Case]) -> Iterator[Case]:
    """Services tell tests apart by their names alone."""
    seen: Counter[str] = Counter()
    for case in cases:
        name = clean(case.name)
        seen[name] += 1
        yield replace(case, name=name if seen[name] == 1 else f"{name} ({seen[name]})")
