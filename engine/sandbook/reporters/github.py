"""Annotations of GitHub Actions: failures, marked at their lines in the file.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sandbook.api import RunEnd
from sandbook.console import clean
from sandbook.reporters._cases import Case, cases_of, shown_path

_LEVELS = {"failed": "error", "error": "error"}


def render(ends: Sequence[RunEnd], environ: Mapping[str, str]) -> str:
    """The commands, one a line; nothing for what is green."""
    lines = (line for end in ends for line in _annotations(end, environ))
    return "".join(f"{line}\n" for line in lines)


def _annotations(end: RunEnd, environ: Mapping[str, str]) -> Iterator[str]:
    if end.report is None:
        file = shown_path(end.file, environ)
        yield _command("error", end.cause, file=file, title="nothing ran")
        return
    for case in cases_of(end.report, environ):
        level = "warning" if case.allowed else _LEVELS.get(case.verdict)
        if level is not None:
            yield _annotation(level, case)


def _annotation(level: str, case: Case) -> str:
    line = "" if case.line is None else str(case.line)
    return _command(level, case.cause, file=case.file, line=line, title=case.name)


def _command(level: str, text: str, **about: str) -> str:
    told = ",".join(
        f"{key}={_property(value)}" for key, value in about.items() if value
    )
    # A cause holds words of the step: a line of it is text, whatever it looks like.
    words = "\n".join(clean(line) for line in text.splitlines())
    return f"::{level} {told}::{_data(words)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
