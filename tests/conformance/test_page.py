"""plugins/CONFORMANCE.md is of the checks there are, and of what is declared now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import sandbook_e2b
import sandbook_local
from sandbook.api import Capabilities, Settings
from sandbook.testing.conformance import CHECKS
from tests.conformance.report import PAGE, VARIES

AGAIN = "python -m tests.conformance.report"
NOWHERE = Settings(state=Path(), cache=Path())


def _e2b() -> Capabilities:
    return sandbook_e2b.INFO.capabilities(NOWHERE)


def _local() -> Capabilities:
    """What it declares where the computer has everything."""
    have = sandbook_local.INFO.capabilities(NOWHERE)
    return replace(have, native=have.native | VARIES.keys())


PROVIDERS = {"e2b": _e2b, "local": _local}


def _rows() -> Mapping[str, tuple[str, Mapping[str, str]]]:
    """Number to rule and the cell of each provider."""
    text = PAGE.read_text("utf-8")
    headings = set(re.findall(r"^\| check \| rule \| (.+) \|$", text, re.MULTILINE))
    (names,) = [heading.split(" | ") for heading in headings]
    found = re.findall(
        r"^\| ([A-Z]\d+[a-z]?) \| ([^|]+) \| (.+) \|$", text, re.MULTILINE
    )
    return {
        number: (rule, dict(zip(names, cells.split(" | "), strict=True)))
        for number, rule, cells in found
    }


def _reasons(provider: str) -> Mapping[str, tuple[str, str]]:
    """Limit to why and source, as the section of a provider tells."""
    heading = f"## What {provider} leaves out\n"
    section = PAGE.read_text("utf-8").partition(heading)[2].partition("\n## ")[0]
    row = r"^\| ([^|]+) \| ([^|]*) \| ([^|]*) \| [^|]+ \|$"
    rows = re.findall(row, section, re.MULTILINE)
    return {name: (why, source) for name, why, source in rows[1:]}


def test_the_page_lists_every_check_by_its_rule() -> None:
    told = {number: rule for number, (rule, _) in _rows().items()}
    there = {one.number: one.name.replace("_", " ") for one in CHECKS.values()}
    assert told == there, AGAIN


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_page_says_what_the_declared_capabilities_say(provider: str) -> None:
    have = PROVIDERS[provider]()
    wrong: list[str] = []
    for check in CHECKS.values():
        cell = _rows()[check.number][1][provider]
        lacking = check.lacking(have)
        reason = check.pointless(have)
        if reason is not None:
            fits = cell == f"does not apply: {reason}"
        elif lacking:
            fits = cell == f"not declared: {', '.join(f'`{name}`' for name in lacking)}"
        else:
            fits = cell.startswith(("passed", "deviates: ", "does not apply: "))
        if not fits:
            wrong.append(f"{check.number}: {cell}")
    assert wrong == [], AGAIN


@pytest.mark.parametrize("provider", PROVIDERS)
def test_whatever_is_left_out_has_a_reason_and_a_source(provider: str) -> None:
    reasons = _reasons(provider)
    left_out: set[str] = set()
    for _, cells in _rows().values():
        kind, _, names = cells[provider].partition(": ")
        if kind in ("does not apply", "not declared"):
            left_out |= set(names.split(", ") if kind == "not declared" else [names])
    assert left_out == set(reasons), AGAIN
    assert all(why and source for why, source in reasons.values())
