"""Find a value in JSON, and say what is there where its path ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sandbook.api import JSON

_NAMED: Final = 8


class NotThere(Exception):  # noqa: N818 - it says what was found, and is never shown
    """The path leads nowhere; its text says what is there instead."""


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
