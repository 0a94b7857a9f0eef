"""The shape of a parsed expression: the few things the language allows, nothing else.

Columns count characters from the first one after `${{`, from 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sandbook.api import JSON

Operator = Literal["+", "-", "*", "/", "//", "%", "~", "and", "or"]
Comparator = Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in"]


@dataclass(frozen=True, slots=True)
class Constant:
    """A value written in the expression."""

    value: JSON


@dataclass(frozen=True, slots=True)
class Name:
    """One of the names of the language: `inputs`, `steps`, `item` …"""

    name: str
    column: int


@dataclass(frozen=True, slots=True)
class Entry:
    """`of.key` or `of[key]`: an entry, never a method."""

    of: Tree
    key: Tree
    column: int


@dataclass(frozen=True, slots=True)
class Part:
    """`of[start:stop:step]`."""

    of: Tree
    start: Tree | None
    stop: Tree | None
    step: Tree | None


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, b]`."""

    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class MapOf:
    """`{"a": b}`."""

    entries: tuple[tuple[Tree, Tree], ...]


@dataclass(frozen=True, slots=True)
class Unary:
    """A sign, or `not`."""

    operator: Literal["+", "-", "not"]
    of: Tree


@dataclass(frozen=True, slots=True)
class Binary:
    """Two values and what is done with them."""

    operator: Operator
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Comparison:
    """`a < b <= c`: every pair must hold."""

    first: Tree
    rest: tuple[tuple[Comparator, Tree], ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """`then if condition else otherwise`."""

    condition: Tree
    then: Tree
    otherwise: Tree


@dataclass(frozen=True, slots=True)
class Filtered:
    """`of | name(arguments)`."""

    of: Tree
    name: str
    arguments: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Tested:
    """`of is defined`, `of is none`."""

    of: Tree
    name: Literal["defined", "none"]


Tree: TypeAlias = (
    Constant
    | Name
    | Entry
    | Part
    | ListOf
    | MapOf
    | Unary
    | Binary
    | Comparison
    | Choice
    | Filtered
    | Tested
)


@dataclass(frozen=True, slots=True)
class Path:
    """A name and the entries taken of it, as far as they are constants."""

    names: tuple[str | int, ...]
    columns: tuple[int, ...]
    is_whole: bool = True


def children(tree: Tree) -> tuple[Tree, ...]:  # noqa: C901, PLR0911 - one case for each kind
    """The parts a value is made of."""
    match tree:
        case Constant() | Name():
            return ()
        case Entry(of, key, _):
            return (of, key)
        case Part(of, start, stop, step):
            return (of, *(part for part in (start, stop, step) if part is not None))
        case ListOf(items):
            return items
        case MapOf(entries):
            return tuple(part for entry in entries for part in entry)
        case Unary(_, of) | Tested(of, _):
            return (of,)
        case Binary(_, left, right):
            return (left, right)
        case Comparison(first, rest):
            return (first, *(part for _, part in rest))
        case Choice(condition, then, otherwise):
            return (condition, then, otherwise)
        case Filtered(of, _, arguments):
            return (of, *arguments)


def paths(tree: Tree) -> Iterator[Path]:
    """Every name that is used, with the constant entries behind it."""
    path = _path(tree)
    if path is None:
        for child in children(tree):
            yield from paths(child)
        return
    yield path
    if not path.is_whole:
        yield from _indexes(tree)


def _path(tree: Tree) -> Path | None:
    if isinstance(tree, Name):
        return Path((tree.name,), (tree.column,))
    if not isinstance(tree, Entry):
        return None
    before = _path(tree.of)
    if before is None:
        return None
    key = tree.key.value if isinstance(tree.key, Constant) else None
    if not before.is_whole or not isinstance(key, str | int):
        return Path(before.names, before.columns, is_whole=False)
    return Path((*before.names, key), (*before.columns, tree.column))


def _indexes(tree: Tree) -> Iterator[Path]:
    while isinstance(tree, Entry):
        yield from paths(tree.key)
        tree = tree.of
