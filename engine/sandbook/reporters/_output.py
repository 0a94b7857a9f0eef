"""Decides how much of what a step printed a report repeats, and in which form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sandbook.api import JSON
from sandbook.console import LineReader, clean
from sandbook.report import Report, StepReport

HEAD: Final = 16 << 10
TAIL: Final = 48 << 10
"""Characters of the beginning and of the end; the run's own files have all of it."""


def streams_of(report: Report, step: StepReport) -> tuple[str, str]:
    """What the last try printed: stdout and stderr, or both together and nothing.

    The file of a try holds both as they came; apart they are known as long as they
    are short.
    """
    last = step.last
    if last is None:
        return "", ""
    apart = _apart(last.results)
    if apart is not None:
        return legible(apart[0]), legible(apart[1])
    return legible(report.read_output(last).decode(errors="replace")), ""


def last_lines(report: Report, step: StepReport, count: int) -> list[str]:
    """The last lines that it printed, as they came."""
    if step.last is None:
        return []
    data = report.read_output(step.last)[-TAIL:]
    return _lines(data.decode(errors="replace"))[-count:]


def legible(text: str) -> str:
    """Lines without any control character, bounded."""
    if len(text) > HEAD + TAIL:
        gap = f"\n[... {len(text) - HEAD - TAIL} characters left out ...]\n"
        text = text[:HEAD] + gap + text[-TAIL:]
    return "".join(f"{line}\n" for line in _lines(text))


def _lines(text: str) -> list[str]:
    reader = LineReader()
    data = text.encode(errors="replace")
    return [
        clean(line) for part in (reader.feed(data), reader.flush()) for line in part
    ]


def _apart(results: Mapping[str, JSON]) -> tuple[str, str] | None:
    stdout, stderr = results.get("stdout"), results.get("stderr")
    if isinstance(stdout, str) and isinstance(stderr, str):
        return stdout, stderr
    return None
