"""The matchers, one by one, and in words why one does not hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeGuard

from sandbook.api import JSON, Bound, BoundShell
from sandbook.errors import UsageError
from sandbook.expectations._words import (
    Absent,
    Actual,
    difference,
    quoted,
    shown,
)
from sandbook.finding import PatternTooSlow, nearest_line, search
from sandbook.units import parse_size

Rule = Callable[[Actual, Bound], str]
"""Gives the words of what was wanted, or nothing when it holds."""


async def match(
    subject: str, rules: Mapping[str, Bound], actual: Actual, *, logged: bool = False
) -> list[str]:
    """What does not hold of a value, a sentence each.

    `logged` = the whole value can be read in what the run keeps.
    """
    wrong: list[str] = []
    for name, wanted in rules.items():
        if name == "matches":
            told = await _matches(actual, wanted)
        elif name in _RULES:
            told = _RULES[name](actual, wanted)
        else:
            raise UsageError(
                f"{name!r} is no matcher", remedy=f"matchers: {', '.join(MATCHERS)}"
            )
        if told:
            wrong.append(f"{subject} {told}, it is {shown(actual, logged=logged)}")
    return wrong


def same(actual: Actual, wanted: Bound) -> bool:
    """Equality of JSON values: `true` is not 1, and 1 is 1.0."""
    if isinstance(actual, bool) or isinstance(wanted, bool):
        return actual is wanted
    if isinstance(actual, Mapping) and isinstance(wanted, Mapping):
        return actual.keys() == wanted.keys() and all(
            same(actual[key], wanted[key]) for key in actual
        )
    if _is_list(actual) and _is_list(wanted):
        pairs = zip(actual, wanted, strict=False)
        return len(actual) == len(wanted) and all(same(a, b) for a, b in pairs)
    return actual == wanted


def _is_list(value: Actual | BoundShell) -> TypeGuard[Sequence[JSON]]:
    return isinstance(value, list | tuple)


def _equals(actual: Actual, wanted: Bound) -> str:
    if same(actual, wanted):
        return ""
    told = f"should equal {shown(wanted)}"
    if isinstance(actual, str) and isinstance(wanted, str):
        if "\n" in actual + wanted:
            return f"{told}: {difference(actual, wanted)}"
    elif isinstance(actual, str) and quoted(wanted) == actual:
        return f"{told} and is a text (quote what you expect)"
    return told


def _contains(actual: Actual, wanted: Bound) -> str:
    lacking = next((w for w in _each(wanted) if not _holds(actual, w)), None)
    if lacking is None:
        return ""
    told = f"should contain {quoted(lacking)}"
    near = nearest_line(actual, str(lacking)) if isinstance(actual, str) else ""
    return f"{told} (the nearest line is {near!r})" if near else told


def _not_contains(actual: Actual, wanted: Bound) -> str:
    if isinstance(actual, Absent):
        return f"should be there and not contain {quoted(wanted)}"
    there = next((w for w in _each(wanted) if _holds(actual, w)), None)
    return "" if there is None else f"should not contain {quoted(there)}"


def _holds(actual: Actual, wanted: Bound) -> bool:
    if isinstance(actual, str):
        return str(wanted) in actual
    if isinstance(actual, Mapping):
        return wanted in actual
    return isinstance(actual, Sequence) and any(same(item, wanted) for item in actual)


def _each(wanted: Bound) -> Sequence[Bound]:
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return wanted
    return (wanted,)


def _one_of(actual: Actual, wanted: Bound) -> str:
    if any(same(actual, item) for item in _each(wanted)):
        return ""
    return f"should be one of {quoted(wanted)}"


def _more_than(actual: Actual, wanted: Bound) -> str:
    value, limit = _read(actual), _limit(wanted)
    told = f"should be more than {_plain(wanted)}"
    return "" if value is not None and value > limit else told + _no_number(value)


def _less_than(actual: Actual, wanted: Bound) -> str:
    value, limit = _read(actual), _limit(wanted)
    told = f"should be less than {_plain(wanted)}"
    return "" if value is not None and value < limit else told + _no_number(value)


def _plain(wanted: Bound) -> str:
    return wanted if isinstance(wanted, str) else quoted(wanted)


def _no_number(value: float | None) -> str:
    return " and is no number" if value is None else ""


def _limit(wanted: Bound) -> float:
    if isinstance(wanted, str):
        try:
            return parse_size(wanted)
        except ValueError:
            pass
    number = _read(wanted)
    if number is None:
        raise UsageError(f"{quoted(wanted)} is no number to compare with")
    return number


def _read(value: Bound | Absent) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str) or "_" in value:
        return None
    try:
        number = float(value.strip())
    except ValueError:
        return None
    return number if math.isfinite(number) else None


async def _matches(actual: Actual, wanted: Bound) -> str:
    if not isinstance(actual, str):
        actual = quoted(actual) if isinstance(actual, int | float) else ""
    try:
        found = await search(str(wanted), actual)
    except PatternTooSlow as error:
        return f"could not be judged: {error.message}; {error.remedy}"
    return "" if found else f"should match {wanted!r}"


_RULES: Final[Mapping[str, Rule]] = {
    "equals": _equals,
    "contains": _contains,
    "not_contains": _not_contains,
    "more_than": _more_than,
    "less_than": _less_than,
    "one_of": _one_of,
}
MATCHERS: Final = (
    *("equals", "contains", "not_contains", "matches"),
    *("more_than", "less_than", "one_of"),
)
