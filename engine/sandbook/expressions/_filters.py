"""The filters of the language. What has no answer is an error, never a guess."""

from __future__ import annotations

import json
import math
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sandbook.api import JSON
from sandbook.expressions._json import (
    LARGEST_NUMBER,
    LIMIT,
    equal,
    is_list,
    is_number,
    kind_of,
    shown,
    to_json,
    to_text,
)
from sandbook.expressions._values import ExpressionError

_TOO_LARGE = "the result is larger than 1 MiB"


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter and how many arguments it takes. `default` is the evaluator's own."""

    call: Callable[..., JSON]
    least: int = 0
    most: int = 0


def _text(value: JSON, name: str) -> str:
    if not isinstance(value, str):
        raise ExpressionError(
            f"{name!r} needs a text, not {kind_of(value)}: {shown(value)}",
            remedy="`| string` makes a text of it",
        )
    return value


def _number(value: JSON, name: str) -> int | float:
    if not is_number(value):
        raise ExpressionError(
            f"{name!r} needs a number, not {kind_of(value)}: {shown(value)}",
            remedy="`| int` or `| float` reads a text as a number",
        )
    return value


def _items(value: JSON, name: str) -> Sequence[JSON]:
    if not is_list(value):
        raise ExpressionError(
            f"{name!r} needs a list, not {kind_of(value)}: {shown(value)}"
        )
    return value


def _length(value: JSON) -> JSON:
    if isinstance(value, str | Mapping):
        return len(value)
    return len(_items(value, "length"))


def _replace(value: JSON, old: JSON, new: JSON) -> JSON:
    text, old, new = (_text(part, "replace") for part in (value, old, new))
    if not old:
        raise ExpressionError("'replace' needs a text to look for, not an empty one")
    if len(text) + text.count(old) * (len(new) - len(old)) > LIMIT:
        raise ExpressionError(_TOO_LARGE)
    return text.replace(old, new)


def _split(value: JSON, separator: JSON = None) -> JSON:
    text = _text(value, "split")
    if separator is None:
        return list(text.split())
    mark = _text(separator, "split")
    if not mark:
        raise ExpressionError("'split' needs a separator, not an empty text")
    return list(text.split(mark))


def _join(value: JSON, separator: JSON = "") -> JSON:
    mark = _text(separator, "join")
    parts = [to_text(item) for item in _items(value, "join")]
    if sum(map(len, parts)) + len(mark) * len(parts) > LIMIT:
        raise ExpressionError(_TOO_LARGE)
    return mark.join(parts)


def _end(name: str, index: int) -> Callable[[JSON], JSON]:
    def take(value: JSON) -> JSON:
        items = value if isinstance(value, str) else _items(value, name)
        if not items:
            raise ExpressionError(f"{name!r} of something empty")
        return items[index]

    return take


def _ordered(value: JSON, name: str) -> list[JSON]:
    items = list(_items(value, name))
    if all(is_number(item) for item in items):
        return sorted(items, key=lambda item: _number(item, name))
    if all(isinstance(item, str) for item in items):
        return sorted(items, key=lambda item: _text(item, name))
    raise ExpressionError(f"{name!r} needs a list of only numbers or only texts")


def _extreme(name: str, index: int) -> Callable[[JSON], JSON]:
    def take(value: JSON) -> JSON:
        items = _ordered(value, name)
        if not items:
            raise ExpressionError(f"{name!r} of an empty list")
        return items[index]

    return take


def _sort(value: JSON) -> JSON:
    return _ordered(value, "sort")


def _abs(value: JSON) -> JSON:
    return abs(_number(value, "abs"))


def _sum(value: JSON) -> JSON:
    return bounded(sum(_number(item, "sum") for item in _items(value, "sum")))


def _unique(value: JSON) -> JSON:
    kept: list[JSON] = []
    seen: set[tuple[type, str]] = set()
    for item in _items(value, "unique"):
        if isinstance(item, str):
            if (str, item) not in seen:
                seen.add((str, item))
                kept.append(item)
        elif not any(equal(item, other) for other in kept):
            kept.append(item)
    return kept


def _reverse(value: JSON) -> JSON:
    if isinstance(value, str):
        return value[::-1]
    return list(reversed(_items(value, "reverse")))


def _int(value: JSON, *default: JSON) -> JSON:
    try:
        if isinstance(value, str):
            return bounded(int(value.strip(), 10))
        return bounded(math.trunc(_number(value, "int")))
    except ValueError as error:
        if default:
            return default[0]
        raise ExpressionError(f"{shown(value)} is not a whole number") from error


def _float(value: JSON, *default: JSON) -> JSON:
    try:
        if isinstance(value, str):
            return bounded(float(value.strip()))
        return bounded(float(_number(value, "float")))
    except ValueError as error:
        if default:
            return default[0]
        raise ExpressionError(f"{shown(value)} is not a number") from error


def _round(value: JSON, digits: JSON = None) -> JSON:
    number = _number(value, "round")
    if digits is None:
        return round(number)
    if not isinstance(digits, int) or not -15 <= digits <= 15:  # noqa: PLR2004 - what a float holds
        raise ExpressionError("'round' takes a whole number of digits up to 15")
    return round(number, digits)


def _fromjson(value: JSON) -> JSON:
    def refuse(constant: str) -> JSON:
        raise ValueError(f"{constant} is not JSON")

    try:
        read: JSON = json.loads(_text(value, "fromjson"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ExpressionError(f"the text is not JSON: {shown(value)}") from error
    return read


def bounded(number: float) -> int | float:
    """The number, unless it is no number or too large to be handled exactly."""
    if not math.isfinite(number):
        raise ExpressionError("the result is not a finite number")
    if isinstance(number, int) and abs(number) >= LARGEST_NUMBER:
        raise ExpressionError("the result is too large a number")
    return number


def _on_text(name: str, change: Callable[[str], str]) -> Filter:
    def call(value: JSON) -> JSON:
        return change(_text(value, name))

    return Filter(call)


def _stays(value: JSON, _fallback: JSON, *also_empty: JSON) -> JSON:
    # Missing values never come here; `true` as second argument covers empty ones.
    return _fallback if also_empty == (True,) and not value else value


FILTERS: Final[Mapping[str, Filter]] = {
    "default": Filter(_stays, 1, 2),
    "length": Filter(_length),
    "lower": _on_text("lower", str.lower),
    "upper": _on_text("upper", str.upper),
    "trim": _on_text("trim", str.strip),
    "replace": Filter(_replace, 2, 2),
    "split": Filter(_split, 0, 1),
    "join": Filter(_join, 0, 1),
    "first": Filter(_end("first", 0)),
    "last": Filter(_end("last", -1)),
    "min": Filter(_extreme("min", 0)),
    "max": Filter(_extreme("max", -1)),
    "sum": Filter(_sum),
    "sort": Filter(_sort),
    "unique": Filter(_unique),
    "reverse": Filter(_reverse),
    "int": Filter(_int, 0, 1),
    "float": Filter(_float, 0, 1),
    "string": Filter(to_text),
    "round": Filter(_round, 0, 1),
    "abs": Filter(_abs),
    "tojson": Filter(to_json),
    "fromjson": Filter(_fromjson),
    "basename": _on_text("basename", posixpath.basename),
    "dirname": _on_text("dirname", posixpath.dirname),
}
"""By name, in the order people read them."""
