"""What operators make of values that are computed already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sandbook.api import JSON
from sandbook.expressions._filters import bounded
from sandbook.expressions._json import (
    equal,
    is_list,
    is_number,
    kind_of,
    shown,
    to_text,
)
from sandbook.expressions._values import ExpressionError
from sandbook.expressions._work import Work

_ARITHMETIC: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}
_ORDER: Final[Mapping[str, Callable[[int], bool]]] = {
    "<": lambda sign: sign < 0,
    "<=": lambda sign: sign <= 0,
    ">": lambda sign: sign > 0,
    ">=": lambda sign: sign >= 0,
}
_LIKE: Final = (bool, int | float, str)


def boolean(value: JSON, operator_: str) -> bool:
    """The value, which an operator of logic needs to be true or false."""
    if not isinstance(value, bool):
        raise ExpressionError(
            f"`{operator_}` needs true or false, not {kind_of(value)}: {shown(value)}",
            remedy="compare it, as in `x == 'yes'` or `x | length > 0`",
        )
    return value


def unary(sign: str, value: JSON) -> JSON:
    """What `not`, `-` or `+` makes of a value."""
    if sign == "not":
        return not boolean(value, sign)
    number = _number(value, sign)
    return -number if sign == "-" else number


def calculated(sign: str, left: JSON, right: JSON) -> JSON:
    """Two numbers made one."""
    try:
        return bounded(_ARITHMETIC[sign](_number(left, sign), _number(right, sign)))
    except ArithmeticError as error:
        raise ExpressionError("division by zero or too large a number") from error


def joined(left: JSON, right: JSON, work: Work) -> JSON:
    """Two texts made one; numbers and all else as texts write them."""
    return work.checked(_text(left, work) + _text(right, work))


def _number(value: JSON, sign: str) -> int | float:
    if not is_number(value):
        joins = sign == "+" and isinstance(value, str)
        raise ExpressionError(
            f"`{sign}` needs numbers, not {kind_of(value)}: {shown(value)}",
            remedy="texts are joined with ~" if joins else "",
        )
    return value


def holds(comparator: str, left: JSON, right: JSON, work: Work) -> bool:
    """Whether two values compare as the comparator says."""
    if comparator in ("==", "!="):
        _refuse_unlike(left, right, comparator)
        work.look_at(left)
        return equal(left, right, work.spend) is (comparator == "==")
    if comparator in ("in", "not in"):
        work.look_at(right)
        return _contains(right, left, work) is (comparator == "in")
    return _ORDER[comparator](_sign(left, right, comparator))


def _refuse_unlike(left: JSON, right: JSON, comparator: str) -> None:
    # A condition that can never hold would skip its step without a word.
    kinds = [next((k for k in _LIKE if isinstance(v, k)), None) for v in (left, right)]
    if None in kinds or kinds[0] is kinds[1]:
        return
    remedy = "`| int` or `| float` reads a text as a number"
    if bool in kinds:
        remedy = "true and false are written without quotes, and need no comparison"
    raise ExpressionError(
        f"`{comparator}` compares {kind_of(left)} with {kind_of(right)}, which are "
        f"never equal: {shown(left)} and {shown(right)}",
        remedy=remedy,
    )


def _sign(left: JSON, right: JSON, comparator: str) -> int:
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    if is_number(left) and is_number(right):
        return (left > right) - (left < right)
    raise ExpressionError(
        f"`{comparator}` cannot compare {kind_of(left)} with {kind_of(right)}",
        remedy="`| int` or `| float` reads a text as a number",
    )


def _contains(whole: JSON, part: JSON, work: Work) -> bool:
    if isinstance(whole, str):
        if isinstance(part, str):
            return part in whole
    elif isinstance(whole, Mapping):
        return isinstance(part, str) and part in whole
    elif is_list(whole):
        return any(equal(item, part, work.spend) for item in whole)
    raise ExpressionError(f"`in` cannot look for {kind_of(part)} in {kind_of(whole)}")


def _text(value: JSON, work: Work) -> str:
    work.look_at(value)
    return to_text(value)
