"""A summary in Markdown: verdict, a table of the steps, what failed ones printed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from sandbook.api import RunEnd
from sandbook.console import clean, duration, verdict
from sandbook.report import Report
from sandbook.reporters._cases import Case, cases_of, shown_path
from sandbook.reporters._output import last_lines

_ROWS = 300
_SHOWN = 20
_LINES = 40
"""Rows of the table, failed steps with their output, lines of each: a page that is
too long is not shown at all (GitHub: 1 MiB)."""
_LONGEST = 400

_SIGNS = {"passed": "✅", "failed": "❌", "error": "❌", "skipped": "⏭️"}


def render(ends: Sequence[RunEnd], environ: Mapping[str, str]) -> str:
    """The text of the page."""
    lines = (line for end in ends for line in _run(end, environ))
    return "".join(f"{line}\n" for line in lines)


def _run(end: RunEnd, environ: Mapping[str, str]) -> Iterator[str]:
    report = end.report
    if report is None:
        yield f"### ❌ {_plain(shown_path(end.file, environ))}: nothing ran"
        yield from ("", _plain(end.cause), "")
        return
    sign = _SIGNS["passed" if report.exit == 0 else "failed"]
    yield f"### {sign} {_plain(verdict(report))}"
    yield ""
    if report.exit != 0 and report.cause:
        yield from (f"> {_plain(line)}" for line in report.cause.splitlines())
        yield ""
    cases = cases_of(report, environ)
    yield from _table(cases)
    for case in [each for each in cases if each.verdict in ("failed", "error")][
        :_SHOWN
    ]:
        yield from _details(case, report)
    yield from ("", f"<sub>{_plain(_origin(report, environ))}</sub>", "")


def _table(cases: Sequence[Case]) -> Iterator[str]:
    yield "| | step | took | |"
    yield "|---|---|---:|---|"
    # Of a long table the rows that did not pass are what one looks for.
    first = sorted(cases, key=lambda case: case.verdict == "passed")[:_ROWS]
    for case in [each for each in cases if each in first]:
        took = case.step.seconds if case.step else None
        cells = (
            "⚠️" if case.allowed else _SIGNS[case.verdict],
            _cell(case.name),
            duration(took) if took is not None and case.verdict != "skipped" else "",
            _cell(case.cause.partition("\n")[0]),
        )
        yield f"| {' | '.join(cells)} |"
    if len(cases) > _ROWS:
        yield f"| | and {len(cases) - _ROWS} more | | |"


def _details(case: Case, report: Report) -> Iterator[str]:
    lines = last_lines(report, case.step, _LINES) if case.step else []
    if not lines:
        return
    shown = [f"{line[:_LONGEST]}…" if len(line) > _LONGEST else line for line in lines]
    place = f" ({case.file}:{case.line})" if case.line is not None else ""
    fence = _fence(shown)
    yield from ("", "<details>")
    yield f"<summary>Last output of {_plain(case.name + place)}</summary>"
    yield from ("", f"{fence}text", *shown, fence, "", "</details>")


def _fence(lines: Sequence[str]) -> str:
    """Backticks that no line can end."""
    longest = max(
        (len(run) for line in lines for run in re.findall("`+", line)), default=0
    )
    return "`" * max(3, longest + 1)


def _origin(report: Report, environ: Mapping[str, str]) -> str:
    boxes = [
        f"{box.name} on {box.provider} ({box.isolation})" for box in report.sandboxes
    ]
    where = f", sandbox {', '.join(boxes)}" if boxes else ""
    return f"run {report.run} of {shown_path(report.file, environ)}{where}"


def _cell(text: str) -> str:
    return _plain(text[:_LONGEST]).replace("|", "\\|")


def _plain(text: str) -> str:
    """Foreign text as text: no markup, no links, no mentions, in one line."""
    shown = clean(text.replace("\n", " "))
    shown = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = re.sub(r"([\\`*_{}\[\]#~])", r"\\\1", shown)
    # A space of no width: a name of a person or an address of a page stays a word.
    return re.sub(r"(?<=@)|(?<=://)", "\u200b", shown)
