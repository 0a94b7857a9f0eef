"""How a value is told in a failure: as it was written, on one line, and cut."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from sandbook.api import JSON, Bound

SHOWN: Final = 120
"""Characters of a value that a message repeats."""


class Absent:
    """What a subject is that the result does not have."""

    __slots__ = ()


ABSENT: Final = Absent()
Actual: TypeAlias = "JSON | Absent"


def quoted(value: Bound) -> str:
    """All of a value in one line; what cannot be seen of a text is written out."""
    if isinstance(value, str):
        return repr(value)
    if value is None or isinstance(value, bool | int | float | Mapping | Sequence):
        return json.dumps(value, ensure_ascii=False, default=str)
    return repr(value)


def shown(value: Bound | Absent, *, logged: bool = False) -> str:
    """A value of any size; `logged` = the run keeps the whole of it."""
    if isinstance(value, Absent):
        return "missing"
    size = len(value) if isinstance(value, str) else 0
    text = quoted(value[: SHOWN + 1] if isinstance(value, str) else value)
    if size <= SHOWN and len(text) <= SHOWN * 2:
        return text
    where = ", `sandbook show --output` shows all" if logged else ""
    count = f" ({max(size, len(text))} characters{where})"
    return f"{text[:SHOWN]}…{count}"


def difference(actual: str, wanted: str) -> str:
    """The first line that differs, and how; for texts of several lines."""
    have, want = actual.splitlines(keepends=True), wanted.splitlines(keepends=True)
    same = 0
    while same < min(len(have), len(want)) and have[same] == want[same]:
        same += 1
    there = shown(have[same]) if same < len(have) else "the end"
    needed = shown(want[same]) if same < len(want) else "the end"
    return f"line {same + 1} should be {needed} and is {there}"
