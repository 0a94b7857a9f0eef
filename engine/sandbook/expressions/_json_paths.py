"""How `path.to[0].key`, the way to a value in JSON, is written."""

from __future__ import annotations

import re
from typing import Final

from sandbook.errors import UsageError

_PART: Final = re.compile(
    r"""\.?([^.\[\]'"]+)|\[(-?\d{1,9})\]|\["([^"]*)"\]|\['([^']*)'\]"""
)


def parse_json_path(path: str) -> tuple[str | int, ...]:
    """The keys and indexes of `a.b[0]["c.d"]`; a leading `$` or `.` is allowed."""
    keys: list[str | int] = []
    rest = path.removeprefix("$")
    position = 0
    while position < len(rest):
        match = _PART.match(rest, position)
        if match is None or (position and match[1] and rest[position] != "."):
            raise UsageError(
                f"the path {path!r} cannot be read from {rest[position:]!r} on",
                remedy='write path.to[0].key, and a key with dots as ["a.b"]',
            )
        name, index, double, single = match.groups()
        other = double if double is not None else single
        keys.append(int(index) if index else name or str(other or ""))
        position = match.end()
    return tuple(keys)
