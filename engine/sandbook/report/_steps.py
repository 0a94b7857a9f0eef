"""Decides what became of each step, and which one decided the verdict."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from sandbook.events import Event
from sandbook.report._fields import Fields, entries, number, text, texts, whole
from sandbook.report._model import (
    FAILED,
    AttemptReport,
    Output,
    StepReport,
    Totals,
)


@dataclass(slots=True)
class _Step:
    """What is known of one step so far."""

    path: str
    about: dict[str, str] = field(default_factory=dict[str, str])
    allowed: bool = False
    attempts: dict[int, AttemptReport] = field(default_factory=dict[int, AttemptReport])


class StepFold:
    """The steps of one run, in the order in which they were planned or begun."""

    def __init__(self) -> None:
        self._steps: dict[str, _Step] = {}
        self._ended: list[str] = []

    def plan(self, hashes: Mapping[str, object], about: Fields) -> None:
        """Know the steps at the top beforehand; `about` says what they are called.

        Inner ones stand below each item of their `for_each` when they run, so that
        their planned paths would stay pending for ever.
        """
        for path in hashes:
            if "." not in path:
                step = self._steps.setdefault(path, _Step(path))
                _learn(step, entries(about, path))

    def add(self, event: Event) -> None:
        """Take an event whose name begins `step.`."""
        path = text(event.fields, "step")
        if path is None:
            return
        step = self._steps.setdefault(path, _Step(path))
        match event.name:
            case "step.started":
                _start(step, event)
            case "step.attached":
                _change(step, lambda last: replace(last, attached=_attached(event)))
            case "step.output":
                _change(step, lambda last: replace(last, output=_output(event)))
            case "step.noted":
                said = text(event.fields, "text") or ""
                _change(step, lambda last: replace(last, notes=(*last.notes, said)))
            case "step.finished":
                _finish(step, event)
                self._ended.append(path)
            case _:
                pass

    def reports(self) -> tuple[StepReport, ...]:
        """The tree of steps."""
        below: dict[str | None, list[str]] = defaultdict(list)
        for path in self._steps:
            below[self._parent(path)].append(path)
        return tuple(self._report(path, below) for path in below[None])

    def first_failed(self, steps: Iterable[StepReport]) -> StepReport | None:
        """The step that failed first and counts.

        One that was cancelled is never the reason while another one failed.
        """
        counting = {step.path: step for step in _counting(steps)}
        failed = [counting[path] for path in self._ended if path in counting]
        real = (step for step in failed if step.status != "cancelled")
        return next(real, failed[0] if failed else None)

    def _parent(self, path: str) -> str | None:
        above = path.rpartition(".")[0]
        while above and above not in self._steps:
            above = above.rpartition(".")[0]
        return above or None

    def _report(self, path: str, below: Mapping[str | None, list[str]]) -> StepReport:
        step = self._steps[path]
        attempts = tuple(step.attempts[number] for number in sorted(step.attempts))
        inner = sorted(below.get(path, ()), key=_natural)
        return StepReport(
            path=path,
            status=attempts[-1].status if attempts else "pending",
            verb=step.about.get("verb"),
            label=step.about.get("label"),
            at=step.about.get("location"),
            sandbox=step.about.get("sandbox"),
            allowed=step.allowed,
            attempts=attempts,
            children=tuple(self._report(each, below) for each in inner),
        )


def count(steps: Iterable[StepReport]) -> Totals:
    """How many steps without steps below them ended how."""
    found = Counter(_leaves(steps, allowed=False))
    return Totals(**found)


def _leaves(steps: Iterable[StepReport], *, allowed: bool) -> Iterator[str]:
    for step in steps:
        pardoned = allowed or step.allowed or step.status == "passed"
        if step.children:
            yield from _leaves(step.children, allowed=pardoned)
        elif step.status in FAILED and step.status != "cancelled":
            yield "allowed" if pardoned else "failed"
        else:
            yield step.status


def _counting(steps: Iterable[StepReport]) -> Iterator[StepReport]:
    """Every failed step that no `allow_failure` pardons."""
    for step in steps:
        # What failed in one try of a step that passed at last does not count.
        if step.allowed or step.status == "passed":
            continue
        if step.status in FAILED:
            yield step
        yield from _counting(step.children)


def _start(step: _Step, event: Event) -> None:
    _learn(step, event.fields)
    number_ = whole(event.fields, "attempt") or 1
    step.attempts[number_] = AttemptReport(
        number=number_,
        status="started",
        key=text(event.fields, "key"),
        started_at=event.at,
    )


def _finish(step: _Step, event: Event) -> None:
    _learn(step, event.fields)
    fields = event.fields
    number_ = whole(fields, "attempt") or max(step.attempts, default=1)
    # A skipped step ends without having started.
    begun = step.attempts.get(number_) or AttemptReport(number=number_, status="")
    status = _status(fields)
    step.allowed = fields.get("allowed") is True and status in FAILED
    step.attempts[number_] = replace(
        begun,
        status=status,
        code=whole(fields, "code"),
        cause=text(fields, "cause"),
        seconds=number(fields, "seconds"),
        results=entries(fields, "results"),
        saved=entries(fields, "saved"),
        artifacts=texts(fields, "artifacts"),
    )


def _status(fields: Fields) -> str:
    status = text(fields, "status")
    return status if status in {"passed", "skipped", *FAILED} else "failed"


def _learn(step: _Step, fields: Fields) -> None:
    for key in ("verb", "label", "location", "sandbox"):
        value = text(fields, key)
        if value is not None:
            step.about[key] = value


def _change(step: _Step, change: Callable[[AttemptReport], AttemptReport]) -> None:
    if step.attempts:
        last = max(step.attempts)
        step.attempts[last] = change(step.attempts[last])


def _attached(event: Event) -> tuple[str, str]:
    return text(event.fields, "kind") or "", text(event.fields, "id") or ""


def _output(event: Event) -> Output:
    return Output(
        file=text(event.fields, "file") or "",
        bytes=whole(event.fields, "bytes") or 0,
        dropped=whole(event.fields, "dropped") or 0,
    )


def _natural(path: str) -> list[tuple[int, str]]:
    """An order in which `each[10]` comes after `each[9]`."""
    parts = re.split(r"(\d+)", path)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
