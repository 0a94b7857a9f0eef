"""What a value must be for its place, once it is known."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from sandbook.api import JSON
from sandbook.expressions._json import is_number, kind_of, shown
from sandbook.expressions._values import ExpressionError, Kind
from sandbook.units import parse_duration, parse_screen_size, parse_size

_OCTAL: Final = re.compile(r"0?[0-7]{3,4}")


def fit(value: JSON, kind: Kind) -> JSON:
    """The value as its place needs it."""
    if kind in ("duration", "size") and isinstance(value, str):
        try:
            return parse_duration(value) if kind == "duration" else parse_size(value)
        except ValueError as error:
            raise ExpressionError(str(error)) from error
    if not _FITS[kind](value):
        raise ExpressionError(
            f"{_NEEDED[kind]} is needed here, not {kind_of(value)}: {shown(value)}"
        )
    return value


def _is_octal(value: JSON) -> bool:
    return isinstance(value, str) and _OCTAL.fullmatch(value) is not None


def _is_terminal(value: JSON) -> bool:
    try:
        return isinstance(value, str) and bool(parse_screen_size(value))
    except ValueError:
        return False


_FITS: Final[Mapping[Kind, Callable[[JSON], bool]]] = {
    "text": lambda value: isinstance(value, str),
    "free": lambda _: True,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: is_number(value) and isinstance(value, int),
    "number": is_number,
    "octal": _is_octal,
    "terminal": _is_terminal,
    "duration": lambda _: False,
    "size": lambda _: False,
}
_NEEDED: Final[Mapping[Kind, str]] = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "octal": "a file mode as 0644",
    "terminal": "a terminal size as 80x24",
    "duration": "a duration as 30s",
    "size": "a size as 512MB",
}
