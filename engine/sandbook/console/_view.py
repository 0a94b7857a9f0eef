"""Decides how a step is called, by what was planned and what is told while it runs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbook.console._text import clean
from sandbook.events import Event
from sandbook.report import Report, StepReport

_ITEM = re.compile(r"\.each\[(\d+)\]")
_LAST_ITEM = re.compile(_ITEM.pattern + "$")
_USED = ".use."
"""What stands between a step and those of the runbook it uses."""
_WIDEST = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """One planned step: its path, what people read, its verb, `file:line:col`."""

    path: str
    label: str
    verb: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """The name of the runbook and its steps in order, inner ones after theirs."""

    name: str = ""
    steps: tuple[PlanStep, ...] = ()

    @classmethod
    def of(cls, report: Report) -> PlanView:
        """The steps of a run that began, as far as it came."""
        every = (step for top in report.steps for step in top.walk())
        steps = tuple(_step_of(step) for step in every)
        return cls(name=report.name or "", steps=steps)


def _step_of(step: StepReport) -> PlanStep:
    return PlanStep(
        path=step.path,
        label=step.label or step.verb or step.path,
        verb=step.verb or "",
        at=step.at or "",
    )


class Names:
    """What people call the steps of one run.

    An event may tell a `label` or a `location` that the plan could not know.
    """

    def __init__(self, plan: PlanView) -> None:
        self._labels = {step.path: clean(step.label) for step in plan.steps}
        self._places = {step.path: clean(step.at) for step in plan.steps}
        top = [step.path for step in plan.steps if "." not in step.path]
        self._numbers = {path: number for number, path in enumerate(top, start=1)}
        self._width = min(
            max((len(self.numbered(path)) for path in top), default=0), _WIDEST
        )

    @property
    def count(self) -> int:
        """How many steps stand at the top."""
        return len(self._numbers)

    def learn(self, event: Event) -> None:
        """Take what an event of a step says about it."""
        path = event.fields.get("step")
        if not isinstance(path, str):
            return
        for known, key in ((self._labels, "label"), (self._places, "location")):
            told = event.fields.get(key)
            if isinstance(told, str) and told:
                known[path] = clean(told)

    def label(self, path: str) -> str:
        """What people read; an item of a `for_each` is counted from 1."""
        plain = _ITEM.sub("", path)
        planned = self._labels.get(plain, clean(plain))
        label = self._labels.get(path, planned)
        item = _LAST_ITEM.search(path)
        return f"{label} #{int(item[1]) + 1}" if item and label == planned else label

    def trail(self, path: str) -> str:
        """The label after those of the steps it stands in, the outermost first."""
        above, inner, rest = list[str](), path, path
        while rest := rest.rpartition(".")[0]:
            # An item of a loop bears the loop's name.
            is_loop = _LAST_ITEM.fullmatch(inner[len(rest) :])
            if rest in self._labels and not is_loop:
                above.insert(0, self.label(rest))
            inner = rest
        return " > ".join((*above, self.label(path)))

    def place(self, path: str) -> str:
        """`file:line:col`, or nothing."""
        return self._places.get(path) or self._places.get(_ITEM.sub("", path), "")

    def indent(self, path: str) -> str:
        """Two spaces for each step that this one stands in."""
        return "  " * (path.count(".") - path.count(_USED))

    def numbered(self, path: str) -> str:
        """The label, after `[2/5]` when it stands at the top."""
        number = self._numbers.get(path)
        label = self.label(path)
        return label if number is None else f"[{number}/{self.count}] {label}"

    def padded(self, path: str) -> str:
        """The same, so that what follows stands below each other."""
        return self.numbered(path).ljust(self._width - len(self.indent(path)))
