"""What a plan shows of its steps: values as they were written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sandbook.console import PlanStep, PlanView
from sandbook.expressions import Expression, ShellText, Template, Value
from sandbook.plan import every_step
from sandbook.runbook import Runbook, Step


def view_of(book: Runbook) -> PlanView:
    """The runbook as a console tells it."""
    steps = tuple(_plan_step(step) for step in every_step(book))
    return PlanView(name=title_of(book), steps=steps)


def title_of(book: Runbook) -> str:
    """The name, unless only a run knows it."""
    return book.name if isinstance(book.name, str) else ""


def label_of(step: Step) -> str:
    """What people read."""
    return as_written(step.label) or step.verb


def as_written(value: Value) -> str:
    """A value in one line, its expressions as in the file."""
    match value:
        case None | bool():
            return {True: "true", False: "false", None: ""}[value]
        case Template(pieces):
            return "".join(_piece(piece) for piece in pieces)
        case ShellText(text, values):
            return _with_expressions(text, values)
        case tuple():
            return "[" + ", ".join(as_written(item) for item in value) + "]"
        case Mapping():
            return "{" + ", ".join(_entries(value)) + "}"
        case _:
            return str(value)


def _plan_step(step: Step) -> PlanStep:
    return PlanStep(
        path=step.path, label=label_of(step), verb=step.verb, at=str(step.at)
    )


def _entries(value: Mapping[str, Value]) -> Iterator[str]:
    return (f"{key}: {as_written(item)}" for key, item in value.items())


def _piece(piece: str | Expression) -> str:
    if isinstance(piece, str):
        return piece
    return f"${{{{ {piece.source.strip()} }}}}"


def _with_expressions(text: str, values: tuple[tuple[str, Expression], ...]) -> str:
    for name, expression in values:
        text = text.replace(f"${{{name}}}", _piece(expression))
    return text
