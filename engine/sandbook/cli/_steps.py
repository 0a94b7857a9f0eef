"""What a plan shows of its steps: values as they were written."""

from __future__ import annotations

from sandbook.console import PlanStep, PlanView
from sandbook.expressions import as_written
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


def _plan_step(step: Step) -> PlanStep:
    return PlanStep(
        path=step.path, label=label_of(step), verb=step.verb, at=str(step.at)
    )
