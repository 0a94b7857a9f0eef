"""What JSON values are to expressions: their text, their size, their equality."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import TypeGuard

from sandbook.api import JSON
from sandbook.expressions._values import ExpressionError

LIMIT = 1 << 20
"""Bytes a result may have."""

LARGEST_NUMBER = 2**63
_SHOWN = 60
_DEPTH = 2
_TOO_LARGE = "the result is larger than 1 MiB"


def kind_of(value: JSON) -> str:
    """The word people use for this kind of value."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case Mapping():
            return "a map"
        case _:
            return "a list"


def shown(value: JSON) -> str:
    """A short form of a value for a message, however large and deep the value is."""
    text = _brief(value, _DEPTH)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "…"


def _brief(value: JSON, depth: int) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return repr(value[:_SHOWN])
    if isinstance(value, int | float):
        return repr(value) if abs(value) < LARGEST_NUMBER else "a very large number"
    if not depth:
        return "…"
    if isinstance(value, Mapping):
        few = islice(value.items(), _SHOWN)
        pairs = (f"{k[:_SHOWN]!r}: {_brief(item, depth - 1)}" for k, item in few)
        return "{" + ", ".join(pairs) + "}"
    return f"[{', '.join(_brief(item, depth - 1) for item in value[:_SHOWN])}]"


def is_number(value: JSON) -> TypeGuard[int | float]:
    """Whether it is a number; booleans are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_list(value: JSON) -> TypeGuard[Sequence[JSON]]:
    """Whether it is a list; texts are none."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def to_text(value: JSON) -> str:
    """The text of a value within a text; null has none."""
    match value:
        case None:
            raise ExpressionError(
                "the value is null, which has no text",
                remedy="give a text for that case: ${{ 'none' if x is none else x }}",
            )
        case str():
            return value
        case _:
            return to_json(value)


def to_json(value: JSON) -> str:
    """The JSON of a value; raises `ExpressionError` when that is over 1 MiB."""
    check_size(value)
    try:
        return json.dumps(plain(value), ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ExpressionError("the value holds a number JSON does not have") from error


def plain(value: JSON) -> JSON:
    """The same with dicts and lists, whatever mapping or sequence it came in."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if is_list(value):
        return [plain(item) for item in value]
    return value


def check_size(value: JSON) -> int:
    """Refuse a value whose text would be over 1 MiB, without building that text.

    Returns about how many bytes that text would have.
    """
    if isinstance(value, str):
        if len(value) > LIMIT or (
            len(value) > LIMIT // 4 and len(value.encode(errors="replace")) > LIMIT
        ):
            raise ExpressionError(_TOO_LARGE)
        return len(value)
    return _measure(value, 0)


def _measure(value: JSON, size: int) -> int:
    match value:
        case str():
            size += len(value) + 2
        case Mapping():
            for key, item in value.items():
                size = _measure(item, size + len(key) + 4)
        case _ if is_list(value):
            for item in value:
                size = _measure(item, size + 2)
        case _:
            size += 4
    if size > LIMIT:
        raise ExpressionError(_TOO_LARGE)
    return size


def equal(left: JSON, right: JSON, spend: Callable[[int], None]) -> bool:
    """Equality of JSON values: `true` is not 1, and 1 is 1.0.

    `spend` is told of every pair that is looked at.
    """
    spend(1)
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(
            equal(item, right[key], spend) for key, item in left.items()
        )
    if is_list(left) and is_list(right):
        return len(left) == len(right) and all(
            equal(a, b, spend) for a, b in zip(left, right, strict=True)
        )
    return left == right
