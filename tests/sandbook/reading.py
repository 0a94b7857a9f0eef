"""Read expressions, shell texts and runbooks the short way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from sandbook.api import JSON, Bound, BoundShell, VerbSpec
from sandbook.errors import Location, RunbookError
from sandbook.expressions import (
    Expression,
    Kind,
    Scope,
    ShellText,
    Template,
    evaluate,
    parse,
)
from sandbook.loader import load_text
from sandbook.problems import render
from sandbook.runbook import Runbook
from sandbook.shell_text import Refusal, bind_shell

HERE = Location("f.yaml", 1, 1)
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")


def pieces(text: str) -> tuple[str | Expression, ...]:
    """A text with `${{ … }}` in it, taken apart without a file around it."""
    found: list[str | Expression] = []
    position = 0
    for match in _EXPRESSION.finditer(text):
        found.append(text[position : match.start()])
        found.append(parse(match[1], Location("f.yaml", 1, match.start() + 1)))
        position = match.end()
    return tuple(piece for piece in (*found, text[position:]) if piece != "")


def value_of(source: str, *, kind: Kind = "free", **names: JSON) -> Bound:
    """What one expression gives."""
    return evaluate(Template((parse(source, HERE),), kind), Scope(names))


def bound(text: str, **names: JSON) -> BoundShell:
    """A shell text with its values bound."""
    shell, refusals = bind_shell(pieces(text))
    assert not refusals
    found = evaluate(shell, Scope(names))
    assert isinstance(found, BoundShell)
    return found


def refused(text: str) -> tuple[Refusal, ...]:
    """The expressions of a shell text that cannot be bound."""
    return bind_shell(pieces(text))[1]


def references(text: str) -> ShellText:
    """A shell text whose expressions are references."""
    return bind_shell(pieces(text))[0]


def load(text: str, verbs: Mapping[str, VerbSpec], path: str = "f.yaml") -> Runbook:
    """A runbook from its text."""
    return load_text(text, Path(path), verbs)


def problems_of(text: str, verbs: Mapping[str, VerbSpec]) -> list[str]:
    """`CODE line:column message` of everything that is wrong with a text."""
    try:
        found = load(text, verbs).warnings
    except RunbookError as error:
        found = error.problems
    return [f"{p.code} {p.at.line}:{p.at.column} {p.message}" for p in found]


def told(text: str, verbs: Mapping[str, VerbSpec], path: str = "f.yaml") -> str:
    """Everything that is wrong with a text, as a person sees it."""
    try:
        found = load(text, verbs, path).warnings
    except RunbookError as error:
        found = error.problems
    return "\n".join(render(problem) for problem in found)
