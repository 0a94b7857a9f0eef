"""What the checks said of several providers, as one page of Markdown.

Nothing on it depends on when or how fast it was made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sandbook.testing._check import GROUPS, place
from sandbook.testing._report import Entry, Limit, Report

_NONE = "not looked at"


def page(reports: Sequence[Report], *, about: str = "") -> str:
    """All of them side by side, check by check, then what each leaves out and why."""
    lines = ["# Conformance", "", *([about, ""] if about else ()), *_counted(reports)]
    rows = _by_check(reports)
    for letter, title in GROUPS.items():
        of_group = [row for row in rows if row[0].startswith(letter)]
        if of_group:
            lines += ["", f"## {letter} {title}", "", *_table(reports, of_group)]
    for one in reports:
        lines += _left_out(one)
    return "\n".join(lines) + "\n"


def _counted(reports: Sequence[Report]) -> Iterator[str]:
    kinds = ("passed", "does not apply", "not declared", "deviates", "failed")
    yield f"| provider | {' | '.join(kinds)} |"
    yield "|---" * (len(kinds) + 1) + "|"
    for one in reports:
        found = [entry.kind for entry in one.entries]
        cells = (str(found.count(kind)) for kind in kinds)
        yield f"| {one.provider} | {' | '.join(cells)} |"


def _by_check(reports: Sequence[Report]) -> Sequence[tuple[str, str, Sequence[str]]]:
    """Number, rule, and a cell for each provider; in the order of the list."""
    found: dict[str, dict[str, Entry]] = {}
    for one in reports:
        for entry in one.entries:
            found.setdefault(entry.number, {})[one.provider] = entry
    return [
        (number, next(iter(told.values())).rule, _cells(reports, told))
        for number, told in sorted(found.items(), key=lambda item: place(item[0]))
    ]


def _cells(reports: Sequence[Report], told: Mapping[str, Entry]) -> Sequence[str]:
    return [
        _cell(told[one.provider]) if one.provider in told else _NONE for one in reports
    ]


def _cell(entry: Entry) -> str:
    if entry.kind == "passed":
        return entry.kind
    if entry.kind in ("deviates", "failed"):
        return f"{entry.kind}: {_safe(entry.reason)}"
    names = ", ".join(_named(limit) for limit in entry.limits)
    return f"{entry.kind}: {names}"


def _named(limit: Limit) -> str:
    """A word of the contract as one, a sentence as it is."""
    return _safe(limit.name) if " " in limit.name else f"`{limit.name}`"


def _table(
    reports: Sequence[Report], rows: Sequence[tuple[str, str, Sequence[str]]]
) -> Iterator[str]:
    names = " | ".join(one.provider for one in reports)
    yield f"| check | rule | {names} |"
    yield "|---" * (len(reports) + 2) + "|"
    for number, rule, cells in rows:
        yield f"| {number} | {rule} | {' | '.join(cells)} |"


def _left_out(report: Report) -> Iterator[str]:
    """Each limit once, with the checks that meet it."""
    met: dict[Limit, list[str]] = {}
    for entry in report.entries:
        for limit in entry.limits:
            met.setdefault(limit, []).append(entry.number)
    if not met:
        return
    yield from ("", f"## What {report.provider} leaves out", "")
    yield from ("| limit | why | source | checks |", "|---|---|---|---|")
    for limit, numbers in met.items():
        cells = (_named(limit), _safe(limit.why), _safe(limit.source))
        yield f"| {' | '.join(cells)} | {', '.join(numbers)} |"


def _safe(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
