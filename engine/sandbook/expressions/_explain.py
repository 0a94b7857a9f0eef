"""Why a condition is false: the values that were compared."""

from __future__ import annotations

import json
from dataclasses import replace

from sandbook.expressions._evaluate import evaluate
from sandbook.expressions._tree import Binary, Comparison, Tree, Unary
from sandbook.expressions._values import (
    Expression,
    ExpressionError,
    Scope,
    Template,
    Value,
)

_LONGEST = 120
_UNKNOWN = "it is false"


def why_false(value: Value, scope: Scope) -> str:
    """What made a condition false, with values: `3 < 2 is false`."""
    alone = value.alone if isinstance(value, Template) else None
    if alone is None:
        return _UNKNOWN
    try:
        return _why(alone, alone.tree, scope)
    except ExpressionError:
        return _UNKNOWN


def _why(whole: Expression, tree: Tree, scope: Scope) -> str:
    match tree:
        case Binary("and", left, right):
            is_left = _value(whole, left, scope) is False
            return _why(whole, left if is_left else right, scope)
        case Binary("or", left, right):
            return f"{_why(whole, left, scope)}, {_why(whole, right, scope)}"
        case Unary("not", Comparison() as of):
            return f"{_compared(whole, of, scope)} is true"
        case Comparison():
            return f"{_compared(whole, tree, scope)} is false"
        case _:
            return _UNKNOWN


def _compared(whole: Expression, tree: Comparison, scope: Scope) -> str:
    """The comparison with its values; of a chain, the first pair that does not hold."""
    lefts = (tree.first, *(part for _, part in tree.rest))
    for left, (name, right) in zip(lefts, tree.rest, strict=False):
        one = Comparison(left, ((name, right),))
        if len(tree.rest) == 1 or _value(whole, one, scope) is False:
            shown = [_shown(_value(whole, part, scope)) for part in (left, right)]
            return f"{shown[0]} {name} {shown[1]}"
    return _UNKNOWN


def _value(whole: Expression, tree: Tree, scope: Scope) -> object:
    part = replace(whole, tree=tree, secret=None)
    return evaluate(Template((part,), "free"), scope)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
