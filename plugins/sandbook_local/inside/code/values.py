"""What fits JSON: the values that leave an interpreter."""

from __future__ import annotations

import json
import math
import numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeGuard

LIMIT = 4 << 20
"""Bytes of JSON that one value may have."""

_DEEPEST = 200


class NotJson(Exception):  # noqa: N818 (becomes a message)
    """Why a value does not fit JSON, in words."""


def to_json(value: object) -> str:
    """The value as JSON; raises `NotJson`."""
    text = json.dumps(_plain(value, _DEEPEST), allow_nan=False)
    if len(text) > LIMIT:
        raise NotJson(f"{len(text)} bytes are too many (at most {LIMIT})")
    return text


def _plain(value: object, depth: int) -> object:
    """The value in Python's own types; numbers of libraries count as numbers."""
    if depth == 0:
        raise NotJson("it is nested too deep, or holds itself")
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return _finite(float(value))
    if _is_sequence(value):
        return [_plain(item, depth - 1) for item in value]
    if _is_mapping(value):
        return {_key(name): _plain(item, depth - 1) for name, item in value.items()}
    raise NotJson(f"a value of type {type(value).__name__!r} does not fit JSON")


def _finite(value: float) -> float:
    if math.isfinite(value):
        return value
    raise NotJson(f"{value} does not fit JSON")


def _key(name: object) -> str:
    if isinstance(name, str):
        return name
    raise NotJson(f"a key of type {type(name).__name__!r} does not fit JSON")


def _is_sequence(value: object) -> TypeGuard[list[object] | tuple[object, ...]]:
    return isinstance(value, (list, tuple))


def _is_mapping(value: object) -> TypeGuard[dict[object, object]]:
    return isinstance(value, dict)
