"""What a value of a runbook is before its step runs, and which names it uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias

from sandbook.api import JSON
from sandbook.errors import Location, SandbookError
from sandbook.expressions._tree import Tree, paths

Kind = Literal[
    "text",
    "free",
    "boolean",
    "integer",
    "number",
    "duration",
    "size",
    "octal",
    "terminal",
]
"""What a value must be once it is evaluated; `free` keeps whatever it is."""


class ExpressionError(SandbookError):
    """An expression could not be evaluated; the step that needs it has failed."""

    exit_code: ClassVar[int] = 1

    def __init__(
        self, message: str, *, remedy: str = "", at: Location | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.at = at

    def __str__(self) -> str:
        """The message behind its place in the file."""
        return f"{self.at}: {self.message}" if self.at else self.message


class MissingValue(ExpressionError):  # noqa: N818 - it names what is missing
    """An entry that is needed is not there."""


class ExpressionSyntaxError(SandbookError):
    """An expression is not of the language; `column` from 0 behind `${{`."""

    exit_code: ClassVar[int] = 2

    def __init__(
        self,
        message: str,
        *,
        code: str = "SB301",
        column: int = 0,
        length: int = 1,
        remedy: str = "",
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.code = code
        self.column = column
        self.length = length


@dataclass(frozen=True, slots=True)
class Expression:
    """One `${{ … }}`: its text, its place (of the first brace), its parsed form.

    `secret` is the name when it is exactly `secrets.NAME`. `offset` is how many
    characters behind `at` its text starts.
    """

    source: str
    at: Location
    tree: Tree = field(repr=False)
    secret: str | None = None
    offset: int = 3


@dataclass(frozen=True, slots=True)
class Template:
    """A text with expressions, or one alone, which keeps its type if `kind` lets it."""

    pieces: tuple[str | Expression, ...]
    kind: Kind = "text"

    @property
    def alone(self) -> Expression | None:
        """The expression, when there is nothing else."""
        first = self.pieces[0] if len(self.pieces) == 1 else None
        return first if isinstance(first, Expression) else None


@dataclass(frozen=True, slots=True)
class ShellText:
    """A shell text whose expressions became references to these variables.

    `written` is the text as it stands in the file.
    """

    text: str
    values: tuple[tuple[str, Expression], ...] = ()
    written: str = field(default="", compare=False)


Leaf: TypeAlias = bool | int | float | str | Template | ShellText | None
Value: TypeAlias = "Leaf | tuple[Value, ...] | Mapping[str, Value]"
"""A value as written; `evaluate` turns it into a `Bound` one."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What expressions see; `names` maps `inputs`, `steps`, `item` … to their values.

    Entries may be computed when they are asked for: only mappings are needed.
    """

    names: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


def expressions_in(value: Value) -> Iterator[Expression]:
    """Every expression of a value, in the order they were written."""
    match value:
        case Template(pieces):
            yield from (piece for piece in pieces if isinstance(piece, Expression))
        case ShellText(values=values):
            yield from (expression for _, expression in values)
        case tuple():
            for item in value:
                yield from expressions_in(item)
        case Mapping():
            for item in value.values():
                yield from expressions_in(item)
        case _:
            return


def secrets_in(value: Value) -> frozenset[str]:
    """The names of the secrets a value contains."""
    found = (expression.secret for expression in expressions_in(value))
    return frozenset(name for name in found if name is not None)


def uses_item(value: Value) -> bool:
    """Whether it needs the current item of a `for_each`."""
    return any(
        path.names[0] == "item"
        for expression in expressions_in(value)
        for path in paths(expression.tree)
    )


def steps_in(value: Value) -> frozenset[str]:
    """The ids of the steps whose results a value uses."""
    return frozenset(
        str(path.names[1])
        for expression in expressions_in(value)
        for path in paths(expression.tree)
        if path.names[0] == "steps" and len(path.names) > 1
    )
