"""What kind of value an expression gives, as far as it is known before a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from sandbook.api import JSON
from sandbook.expressions._tree import (
    Binary,
    Choice,
    Comparison,
    Constant,
    Filtered,
    ListOf,
    MapOf,
    Tested,
    Tree,
    Unary,
    paths,
)

_TEXT: Final = "a text"
_NUMBER: Final = "a number"
_BOOLEAN: Final = "true or false"
_OF_INPUT: Final = {"integer": _NUMBER, "number": _NUMBER, "boolean": _BOOLEAN}
_OF_RESULT: Final = {
    "status": _TEXT,
    "ok": _BOOLEAN,
    "duration": _NUMBER,
    "tries": _NUMBER,
    "stdout": _TEXT,
    "stderr": _TEXT,
}
_OF_FILTER: Final = {
    **dict.fromkeys(
        ("lower", "upper", "trim", "replace", "join", "string", "tojson"), _TEXT
    ),
    **dict.fromkeys(("basename", "dirname"), _TEXT),
    **dict.fromkeys(("length", "int", "float", "round", "abs", "sum"), _NUMBER),
    "split": "a list",
}


def not_booleans(tree: Tree, inputs: Mapping[str, str]) -> Iterator[tuple[Tree, str]]:
    """The parts of a condition that must be true or false, and what they are instead.

    `inputs` maps the declared inputs to their types. A part whose kind is not known
    is left for the run.
    """
    match tree:
        case Binary("and" | "or", left, right):
            yield from not_booleans(left, inputs)
            yield from not_booleans(right, inputs)
        case Unary("not", of):
            yield from not_booleans(of, inputs)
        case Choice(condition, then, otherwise):
            for part in (condition, then, otherwise):
                yield from not_booleans(part, inputs)
        case _:
            kind = _kind(tree, inputs)
            if kind not in (None, _BOOLEAN):
                yield tree, kind


def _kind(tree: Tree, inputs: Mapping[str, str]) -> str | None:  # noqa: PLR0911 - one case for each kind
    match tree:
        case Constant(value):
            return _kind_of_constant(value)
        case ListOf():
            return "a list"
        case MapOf():
            return "a map"
        case Comparison() | Tested() | Unary("not"):
            return _BOOLEAN
        case Unary():
            return _NUMBER
        case Binary(operator):
            return {"~": _TEXT, "and": None, "or": None}.get(operator, _NUMBER)
        case Filtered(_, name):
            return _OF_FILTER.get(name)
        case _:
            return _kind_of_path(tree, inputs)


def _kind_of_constant(value: JSON) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return _BOOLEAN
    return _TEXT if isinstance(value, str) else _NUMBER


def _kind_of_path(tree: Tree, inputs: Mapping[str, str]) -> str | None:
    path = next(paths(tree), None)
    if path is None or not path.is_whole:
        return None
    match path.names:
        case ("inputs", str(name)) if name in inputs:
            return _OF_INPUT.get(inputs[name], _TEXT)
        case ("env" | "sandbox", _) | ("run", "id" | "name" | "started" | "status"):
            return _TEXT
        case ("steps", _, str(field)):
            return _OF_RESULT.get(field)
        case _:
            return None
