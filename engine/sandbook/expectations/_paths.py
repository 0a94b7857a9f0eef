"""Find `path.to[0].key` in a JSON value, and say what is there where it ends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from sandbook.api import JSON
from sandbook.errors import UsageError

_PART: Final = re.compile(
    r"""\.?([^.\[\]'"]+)|\[(-?\d{1,9})\]|\["([^"]*)"\]|\['([^']*)'\]"""
)
_NAMED: Final = 8


class NotThere(Exception):  # noqa: N818 - it says what was found, and is never shown
    """The path leads nowhere; its text says what is there instead."""


def parse_path(path: str) -> tuple[str | int, ...]:
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


def dig(value: JSON, keys: tuple[str | int, ...]) -> JSON:
    """The value at a path; raises `NotThere`."""
    for position, key in enumerate(keys):
        here = _written(keys[:position])
        if isinstance(key, int):
            if not isinstance(value, list | tuple):
                raise NotThere(f"{here} is {_kind(value)}")
            if not -len(value) <= key < len(value):
                raise NotThere(f"{here} has {len(value)} items")
            value = value[key]
        else:
            if not isinstance(value, Mapping):
                raise NotThere(f"{here} is {_kind(value)}")
            if key not in value:
                raise NotThere(f"{here} has {_names(value)}")
            value = value[key]
    return value


def _written(keys: tuple[str | int, ...]) -> str:
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return repr(text.lstrip(".")) if keys else "it"


def _names(value: Mapping[str, JSON]) -> str:
    names = [repr(name) for name in list(value)[:_NAMED]]
    more = f" and {len(value) - _NAMED} more" if len(value) > _NAMED else ""
    return (", ".join(names) + more) or "no keys"


def _kind(value: JSON) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool | int | float):
        return "a boolean" if isinstance(value, bool) else "a number"
    if isinstance(value, str):
        return "a text"
    return "a map" if isinstance(value, Mapping) else "a list"
