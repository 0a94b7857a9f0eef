"""The filters of the language. What has no answer is an error, never a guess."""

from __future__ import annotations

import json
import math
import posixpath
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final

from sandbook.api import JSON
from sandbook.expressions._json import (
    LARGEST_NUMBER,
    LIMIT,
    check_size,
    is_list,
    is_number,
    kind_of,
    shown,
    to_json,
    to_text,
)
from sandbook.expressions._values import ExpressionError

_TOO_LARGE = "the result is larger than 1 MiB"
_IN_A_STEP = "work on it in a `command`, and save what is needed"
_ASK_FIRST = "ask first: `x[0] if x | length > 0 else …`"
_OTHERWISE = "give what to take instead in brackets, as `| int(0)`"
_WHOLE: Final = re.compile(r"\s*[+-]?[0-9]{1,30}\s*")
_NUMBER: Final = re.compile(
    r"\s*[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,5})?\s*"
)
_CONTEXT: Final = Context(prec=50)


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


def _short(text: str) -> str:
    """A text that may be worked on; larger ones are only looked into."""
    if len(text) > LIMIT:
        raise ExpressionError("the text is larger than 1 MiB", remedy=_IN_A_STEP)
    return text


def _few(items: Sequence[JSON]) -> Sequence[JSON]:
    if len(items) > LIMIT // 4:
        raise ExpressionError("the list is larger than 1 MiB", remedy=_IN_A_STEP)
    return items


def _length(value: JSON) -> JSON:
    if isinstance(value, str | Mapping):
        return len(value)
    if not is_list(value):
        raise ExpressionError(
            f"'length' needs a text, a list or a map, not {kind_of(value)}: "
            f"{shown(value)}"
        )
    return len(value)


def _replace(value: JSON, old: JSON, new: JSON) -> JSON:
    text, old, new = (_text(part, "replace") for part in (value, old, new))
    text = _short(text)
    if not old:
        raise ExpressionError("'replace' needs a text to look for, not an empty one")
    if len(text) + text.count(old) * (len(new) - len(old)) > LIMIT:
        raise ExpressionError(_TOO_LARGE)
    return text.replace(old, new)


def _split(value: JSON, separator: JSON = None) -> JSON:
    text = _short(_text(value, "split"))
    if separator is None:
        return list(text.split())
    mark = _text(separator, "split")
    if not mark:
        raise ExpressionError("'split' needs a separator, not an empty text")
    if len(text) + 2 * text.count(mark) > LIMIT:
        raise ExpressionError(_TOO_LARGE)
    return list(text.split(mark))


def _join(value: JSON, separator: JSON = "") -> JSON:
    mark = _text(separator, "join")
    parts: list[str] = []
    size = 0
    for item in _items(value, "join"):
        parts.append(to_text(item))
        size += len(parts[-1]) + len(mark)
        if size > LIMIT:
            raise ExpressionError(_TOO_LARGE)
    return mark.join(parts)


def _end(name: str, index: int) -> Callable[[JSON], JSON]:
    def take(value: JSON) -> JSON:
        items = value if isinstance(value, str) else _items(value, name)
        if not items:
            raise ExpressionError(f"{name!r} of something empty", remedy=_ASK_FIRST)
        return items[index]

    return take


def _key(value: JSON, name: str) -> Callable[[JSON], int | float | str]:
    """What items are ordered by, once it is known that they can be."""
    items = _items(value, name)
    if all(is_number(item) for item in items):
        return lambda item: _number(item, name)
    if all(isinstance(item, str) for item in items):
        return lambda item: _text(item, name)
    raise ExpressionError(
        f"{name!r} needs a list of only numbers or only texts, not {shown(value)}"
    )


def _extreme(name: str, choose: Callable[..., JSON]) -> Callable[[JSON], JSON]:
    def take(value: JSON) -> JSON:
        key = _key(value, name)
        if not value:
            raise ExpressionError(f"{name!r} of an empty list", remedy=_ASK_FIRST)
        return choose(value, key=key)

    return take


def _sort(value: JSON) -> JSON:
    items = _few(_items(value, "sort"))
    return sorted(items, key=_key(items, "sort"))


def _abs(value: JSON) -> JSON:
    return abs(_number(value, "abs"))


def _sum(value: JSON) -> JSON:
    return bounded(sum(_number(item, "sum") for item in _items(value, "sum")))


def _unique(value: JSON) -> JSON:
    items = _few(_items(value, "unique"))
    check_size(items)
    # Compared with each other, 100,000 items would take an hour.
    kept: dict[Hashable, JSON] = {}
    for item in items:
        kept.setdefault(_frozen(item), item)
    return list(kept.values())


def _frozen(value: JSON) -> Hashable:
    """Equal for values that are equal: `true` is not 1, and 1 is 1.0."""
    if isinstance(value, Mapping):
        return frozenset((key, _frozen(item)) for key, item in value.items())
    if is_list(value):
        return tuple(_frozen(item) for item in value)
    return (isinstance(value, bool), value)


def _reverse(value: JSON) -> JSON:
    if isinstance(value, str):
        return _short(value)[::-1]
    return list(reversed(_few(_items(value, "reverse"))))


def _int(value: JSON, *default: JSON) -> JSON:
    if not isinstance(value, str):
        return bounded(math.trunc(_number(value, "int")))
    if _WHOLE.fullmatch(value):
        return bounded(int(value))
    if default:
        return default[0]
    has_more = _NUMBER.fullmatch(value)
    raise ExpressionError(
        f"{shown(value)} is not a whole number",
        remedy="cut it with `| float | int`" if has_more else _OTHERWISE,
    )


def _float(value: JSON, *default: JSON) -> JSON:
    if not isinstance(value, str):
        return bounded(float(bounded(_number(value, "float"))))
    if _NUMBER.fullmatch(value):
        return bounded(float(value))
    if default:
        return default[0]
    raise ExpressionError(f"{shown(value)} is not a number", remedy=_OTHERWISE)


def _round(value: JSON, digits: JSON = None) -> JSON:
    number = bounded(_number(value, "round"))
    places = 0 if digits is None else digits
    if (
        isinstance(places, bool)
        or not isinstance(places, int)
        or not -15 <= places <= 15  # noqa: PLR2004 - what a float holds
    ):
        raise ExpressionError("'round' takes a whole number of digits up to 15")
    # As people round, by the digits they see: 2.5 is 3, 2.675 with 2 digits is 2.68.
    written = Decimal(repr(number))
    if -written.as_tuple().exponent <= places:  # type: ignore[operator]  # finite: a number
        return int(number) if places <= 0 else number
    rounded = written.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, _CONTEXT)
    return bounded(int(rounded)) if places <= 0 else float(rounded)


def _fromjson(value: JSON) -> JSON:
    def refuse(constant: str) -> JSON:
        raise ValueError(f"{constant} is not JSON")

    text = _short(_text(value, "fromjson"))
    try:
        read: JSON = json.loads(text, parse_constant=refuse)
        if "\\u" in text:
            json.dumps(read, ensure_ascii=False).encode()
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
        return change(_short(_text(value, name)))

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
    "min": Filter(_extreme("min", min)),
    "max": Filter(_extreme("max", max)),
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
