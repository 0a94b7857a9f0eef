"""The reports that a call asks for: who writes each, where it goes, what if it fails.

All that can be wrong with the call is found before anything runs. A report that fails
later changes no verdict silently: it is told, and the exit code is that of a fault.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeVar

import click

from sandbook.errors import UsageError

if TYPE_CHECKING:
    from sandbook.api import Reporter, RunEnd
    from sandbook.registry import Registry

STDOUT = "-"
FAULT = 70

_Command = TypeVar("_Command", bound=Callable[..., object])


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A report and where its text goes: a file, or a stream."""

    reporter: Reporter
    to: _File | _Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stream:
    stream: TextIO

    def write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()

    def __str__(self) -> str:
        return "stdout"


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    path: Path
    is_added_to: bool = False

    def check(self) -> None:
        """Raise `OSError` where it cannot be written; nothing is left behind."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not os.path.lexists(self.path)
        if not is_new and not self.path.is_file() and not self.path.is_dir():
            # Opening a pipe would tell its reader that this was all.
            if not os.access(self.path, os.W_OK):
                raise PermissionError(13, "permission denied")
            return
        with self.path.open("ab"):
            pass
        if is_new:
            self.path.unlink()

    def write(self, text: str) -> None:
        mode = "ab" if self.is_added_to else "wb"
        with self.path.open(mode) as file:
            file.write(text.encode(errors="backslashreplace"))

    def __str__(self) -> str:
        return repr(str(self.path))


def report_option(command: _Command) -> _Command:
    """`--report NAME=FILE`."""
    return click.option(
        "--report",
        "reports",
        metavar="NAME=FILE",
        multiple=True,
        help="Write a report: junit, json, markdown, github, or of a plugin; `-` is "
        "stdout.",
    )(command)


def uses_stdout(reports: Sequence[str]) -> bool:
    """Whether a report has stdout for itself."""
    return any(written.partition("=")[2] == STDOUT for written in reports)


def wanted_reports(
    reports: Sequence[str], registry: Registry, *, as_json: bool = False
) -> list[Wanted]:
    """The reports that `--report` names, each with a place that can be written.

    Raises:
        UsageError: A reporter is unknown, a place cannot be written.
    """
    known: Mapping[str, Reporter] = registry.reporters() if reports else {}
    if as_json and uses_stdout(reports):
        raise UsageError(
            "--json and a report to `-` exclude each other: stdout is only one",
            remedy="let the report go to a file",
        )
    if sum(uses_stdout([written]) for written in reports) > 1:
        raise UsageError(
            "two reports go to stdout", remedy="let one of them go to a file"
        )
    return [_wanted(written, known, registry) for written in reports]


def reports_of_actions(
    named: Sequence[str],
    registry: Registry,
    environ: Mapping[str, str],
    log: TextIO,
) -> list[Wanted]:
    """What GitHub Actions gets without being asked: annotations, a step summary.

    One of them that `--report` names goes only where it is named. A summary that
    cannot be written is no reason not to run.
    """
    if environ.get("GITHUB_ACTIONS") != "true":
        return []
    places: dict[str, _File | _Stream] = {"github": _Stream(stream=log)}
    page = environ.get("GITHUB_STEP_SUMMARY")
    if page and os.access(page, os.W_OK):
        places["markdown"] = _File(path=Path(page), is_added_to=True)
    taken = {written.partition("=")[0] for written in named}
    known = registry.reporters()
    return [
        Wanted(reporter=known[name], to=place)
        for name, place in places.items()
        if name in known and name not in taken
    ]


def write_reports(
    wanted: Sequence[Wanted], ends: Sequence[RunEnd], environ: Mapping[str, str]
) -> int:
    """Write each of them, whatever becomes of the others; 0, or the code of a fault."""
    failed = [each for each in wanted if not _is_written(each, ends, environ)]
    return FAULT if failed else 0


def _is_written(
    wanted: Wanted, ends: Sequence[RunEnd], environ: Mapping[str, str]
) -> bool:
    # Only who has run something needs them.
    from sandbook.cli._fault import trace_words
    from sandbook.cli._hiding import hidden
    from sandbook.cli._words import warn

    name, to = wanted.reporter.name, wanted.to
    try:
        to.write(hidden(wanted.reporter.render(ends, environ=environ)))
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        warn(f"error: the report {name!r} was not written: {to}: {reason}")
    except Exception as error:  # noqa: BLE001 (a third party's code)
        what = f"{type(error).__name__}: {error}"
        warn(f"error: the report {name!r} was not written: {what}")
        warn(
            "  this is a fault in the reporter, not in your runbook",
            *trace_words(error),
        )
    else:
        return True
    warn("  what ran is told above and is not changed by this")
    return False


def _wanted(written: str, known: Mapping[str, Reporter], registry: Registry) -> Wanted:
    name, sign, place = written.partition("=")
    if not sign or not place:
        raise _without_place(written, known)
    if name not in known:
        raise _unknown(name, known, registry)
    if place == STDOUT:
        return Wanted(reporter=known[name], to=_Stream(stream=sys.stdout))
    file = _File(path=Path(place))
    try:
        file.check()
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise UsageError(
            f"--report: {place!r} cannot be written: {reason}",
            remedy="name a file in a folder where you may write",
        ) from error
    return Wanted(reporter=known[name], to=file)


def _without_place(written: str, known: Mapping[str, Reporter]) -> UsageError:
    name = written.rstrip("=")
    if name in known:
        remedy = f"write {name}=FILE, or {name}=- for stdout"
    else:
        suffix = Path(written).suffix
        fits = {".xml": "junit", ".md": "markdown"}.get(suffix, "json")
        remedy = f"write {fits}={written}"
    return UsageError(
        f"--report: {written!r} is not of the form NAME=FILE", remedy=remedy
    )


def _unknown(
    name: str, known: Mapping[str, Reporter], registry: Registry
) -> UsageError:
    # 10 ms to import, and only who mistyped needs it.
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1)
    guess = f": did you mean {near[0]!r}?" if near else ""
    lines = "\n".join(_listed(known, registry))
    return UsageError(f"--report: there is no reporter {name!r}{guess}", remedy=lines)


def _listed(known: Mapping[str, Reporter], registry: Registry) -> Iterator[str]:
    width = max(map(len, known), default=0)
    for name, reporter in known.items():
        yield f"{name:<{width}}  {reporter.summary}"
    yield from (f"not usable: {problem}" for problem in registry.problems)
