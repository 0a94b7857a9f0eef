"""Compute the value of an expression, and bind the values of a step.

Entries come before everything: `x.items` is the entry `items` of `x`. A missing
entry travels along its path, so that `default` and `is defined` can ask for it;
anything else that meets it fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias, TypeVar, cast

from sandbook.api import JSON, Bound, BoundShell
from sandbook.expressions import _tree as tree
from sandbook.expressions._filters import FILTERS
from sandbook.expressions._fit import fit
from sandbook.expressions._json import (
    check_size,
    is_list,
    kind_of,
    shown,
    to_text,
)
from sandbook.expressions._operators import (
    boolean,
    calculated,
    holds,
    joined,
    unary,
)
from sandbook.expressions._values import (
    Expression,
    ExpressionError,
    MissingValue,
    Scope,
    ShellText,
    Template,
    Value,
)
from sandbook.expressions._work import Work
from sandbook.problems import nearest

_LONGEST_VARIABLE: Final = 128 * 1024
_NAMES: Final = 200


@dataclass(frozen=True, slots=True)
class _View:
    """The names an expression sees, and the work it may do."""

    names: Mapping[str, JSON]
    work: Work


@dataclass(frozen=True, slots=True)
class _Missing:
    """An entry that is not there; `reason` names what lacks it."""

    path: str
    reason: str


_Found: TypeAlias = "JSON | _Missing"
_T = TypeVar("_T")


def evaluate(value: Value, scope: Scope) -> Bound:
    """Evaluate every expression of a value.

    An expression alone keeps its type unless its place needs a text. Raises
    `MissingValue` or another `ExpressionError` with the place of the expression.
    """
    match value:
        case ShellText():
            return _bind(value, scope)
        case Template():
            return _fill(value, scope)
        case tuple():
            return [_inner(item, scope) for item in value]
        case Mapping():
            return {key: _inner(item, scope) for key, item in value.items()}
        case _:
            return value


def evaluate_condition(value: Value, scope: Scope) -> bool:
    """Evaluate a condition; anything but true and false is an `ExpressionError`."""
    found = evaluate(value, scope)
    if isinstance(found, bool):
        return found
    alone = value.alone if isinstance(value, Template) else None
    what = "a shell text" if isinstance(found, BoundShell) else kind_of(found)
    raise ExpressionError(
        f"a condition must be true or false, and this is {what}",
        remedy="compare it, as in `x == 'yes'` or `x | length > 0`",
        at=alone.at if alone else None,
    )


def _inner(value: Value, scope: Scope) -> JSON:
    # A map such as `ready` may hold a shell text; its verb knows and looks for it.
    return cast("JSON", evaluate(value, scope))


def _bind(value: ShellText, scope: Scope) -> BoundShell:
    env = {name: _variable(name, part, scope) for name, part in value.values}
    return BoundShell(text=value.text, env=env)


def _variable(name: str, expression: Expression, scope: Scope) -> str:
    text = _text_of(expression, scope)
    if "\0" in text:
        raise ExpressionError(
            "the value has a NUL byte, which no variable can hold",
            remedy="use `write` or `stdin`",
            at=expression.at,
        )
    if len(f"{name}={text}".encode(errors="surrogateescape")) >= _LONGEST_VARIABLE:
        raise ExpressionError(
            "the value is over 128 KiB, more than the system hands to a program",
            remedy="use `write` or `stdin`",
            at=expression.at,
        )
    return text


def _fill(template: Template, scope: Scope) -> JSON:
    alone = template.alone
    if alone is not None and template.kind != "text":
        return _located(alone, lambda: fit(_result(alone, scope), template.kind))
    text = "".join(
        piece if isinstance(piece, str) else _text_of(piece, scope)
        for piece in template.pieces
    )
    if template.kind in ("text", "free"):
        return text
    first = next(piece for piece in template.pieces if not isinstance(piece, str))
    return _located(first, lambda: fit(text, template.kind))


def _text_of(expression: Expression, scope: Scope) -> str:
    return _located(expression, lambda: to_text(_result(expression, scope)))


def _located(expression: Expression, compute: Callable[[], _T]) -> _T:
    try:
        return compute()
    except ExpressionError as error:
        error.at = error.at or expression.at
        raise
    except RecursionError as error:
        raise ExpressionError(
            "the value is nested too deeply", at=expression.at
        ) from error


def _result(expression: Expression, scope: Scope) -> JSON:
    if expression.secret is not None:
        return _secret(expression.secret, scope)
    found = _value(expression.tree, _View(scope.names, Work()))
    check_size(found)
    return found


def _secret(name: str, scope: Scope) -> str:
    if name not in scope.secrets:
        raise MissingValue(f"the secret {name!r} is missing")
    return scope.secrets[name]


def _value(node: tree.Tree, scope: _View) -> JSON:
    found = _find(node, scope)
    if isinstance(found, _Missing):
        raise MissingValue(
            f"{found.path} is missing: {found.reason}",
            remedy="give it a default: ${{ x | default('…') }}",
        )
    return found


def _find(node: tree.Tree, scope: _View) -> _Found:  # noqa: C901, PLR0911, PLR0912 - one case for each kind of node
    match node:
        case tree.Constant(value):
            return value
        case tree.Name(name, _):
            if name not in scope.names:
                return _Missing(name, "it has no value here")
            return scope.names[name]
        case tree.Entry(of, key, _):
            return _entry(_find(of, scope), _value(key, scope), node)
        case tree.Part():
            return _part(node, scope)
        case tree.ListOf(items):
            return [_value(item, scope) for item in items]
        case tree.MapOf(entries):
            return {_key(key, scope): _value(item, scope) for key, item in entries}
        case tree.Unary(sign, of):
            return unary(sign, _value(of, scope))
        case tree.Binary(sign, left, right):
            return _binary(sign, left, right, scope)
        case tree.Comparison(first, rest):
            return _compare(first, rest, scope)
        case tree.Choice(condition, then, otherwise):
            chosen = boolean(_value(condition, scope), "if")
            return _value(then if chosen else otherwise, scope)
        case tree.Filtered():
            return _filter(node, scope)
        case tree.Tested(of, "none"):
            return _value(of, scope) is None
        case tree.Tested(of, _):
            return not isinstance(_find(of, scope), _Missing)


def _entry(of: _Found, key: JSON, node: tree.Entry) -> _Found:
    if isinstance(of, _Missing):
        return of
    if isinstance(of, Mapping):
        name = key if isinstance(key, str) else str(key)
        if name in of:
            return of[name]
        near = nearest(name, islice(of, _NAMES))
        meant = f"; did you mean {near!r}?" if near else ""
        return _Missing(_describe(node), f"there is no entry {shown(key)}{meant}")
    if (is_list(of) or isinstance(of, str)) and isinstance(key, int):
        if isinstance(key, bool) or not -len(of) <= key < len(of):
            return _Missing(_describe(node), f"there are {len(of)} items")
        return of[key]
    return _Missing(_describe(node), f"{kind_of(of)} has no entry {shown(key)}")


def _describe(node: tree.Tree) -> str:
    match node:
        case tree.Name(name, _):
            return name
        case tree.Entry(of, tree.Constant(str(key)), _):
            return f"{_describe(of)}.{key}"
        case tree.Entry(of, tree.Constant(key), _):
            return f"{_describe(of)}[{key!r}]"
        case tree.Entry(of, _, _):
            return f"{_describe(of)}[…]"
        case _:
            return "(…)"


def _part(node: tree.Part, scope: _View) -> JSON:
    of = _value(node.of, scope)
    if not is_list(of) and not isinstance(of, str):
        raise ExpressionError(f"{kind_of(of)} has no parts")
    bounds = [
        None if bound is None else _whole(_value(bound, scope))
        for bound in (node.start, node.stop, node.step)
    ]
    if bounds[2] == 0:
        raise ExpressionError("the step of a part cannot be 0")
    scope.work.look_at(of)
    taken = of[slice(*bounds)]
    return taken if isinstance(taken, str) else list(taken)


def _whole(value: JSON) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ExpressionError(f"a whole number is needed, not {kind_of(value)}")


def _key(node: tree.Tree, scope: _View) -> str:
    key = _value(node, scope)
    if not isinstance(key, str):
        raise ExpressionError(f"the key of a map is a text, not {kind_of(key)}")
    return key


def _binary(sign: str, left: tree.Tree, right: tree.Tree, scope: _View) -> JSON:
    first = _value(left, scope)
    if sign in ("and", "or"):
        if boolean(first, sign) is (sign == "or"):
            return first
        return boolean(_value(right, scope), sign)
    second = _value(right, scope)
    if sign == "~":
        return joined(first, second, scope.work)
    return calculated(sign, first, second)


def _compare(
    first: tree.Tree, rest: tuple[tuple[tree.Comparator, tree.Tree], ...], scope: _View
) -> bool:
    left = _value(first, scope)
    for comparator, node in rest:
        right = _value(node, scope)
        if not holds(comparator, left, right, scope.work):
            return False
        left = right
    return True


def _filter(node: tree.Filtered, scope: _View) -> JSON:
    if node.name == "default" and isinstance(_find(node.of, scope), _Missing):
        return _value(node.arguments[0], scope)
    value = _value(node.of, scope)
    arguments = [_value(argument, scope) for argument in node.arguments]
    if node.name == "default":
        return FILTERS[node.name].call(value, *arguments)
    for given in (value, *arguments):
        scope.work.look_at(given)
    return scope.work.checked(FILTERS[node.name].call(value, *arguments))
