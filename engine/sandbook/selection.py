"""Which steps of a runbook run, where a person wants only some of them.

Steps keep their paths, so that what is told names their place in the whole file.
`setup` and `finally` always belong to a run, and so does a `create` above whose
sandbox a chosen step works in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sandbook.errors import UsageError
from sandbook.expressions import Value, steps_in
from sandbook.problems import suggest
from sandbook.runbook import Retry, Runbook, Step, flat
from sandbook.schema import CREATE

_CHECK: Final = "check"
_MAIN: Final = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Steps by name: some of them, or from the `first` to the `last`.

    A name is an id, a number as in the file (the first step is 1), a path of the plan
    or what people read of the step.
    """

    only: tuple[str, ...] = ()
    first: str | None = None
    last: str | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return not self.only and self.first is None and self.last is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """A runbook of the chosen steps, and those of its steps that are left out."""

    book: Runbook
    left_out: tuple[Step, ...]


def narrow(book: Runbook, wanted: Wanted) -> Narrowed:
    """Leave out the steps that are not wanted.

    Raises:
        UsageError: A step does not exist, or needs the result of one left out.
    """
    chosen = _chosen(book, wanted)
    kept = chosen | _creates_for(book, chosen)
    steps = tuple(step for i, step in enumerate(book.steps) if i in kept)
    left_out = tuple(step for i, step in enumerate(book.steps) if i not in kept)
    missing = {step.id for step in flat(left_out) if step.id is not None}
    for step in steps:
        _refuse_missing(step, missing)
    return Narrowed(
        book=replace(
            book,
            steps=steps,
            outputs={
                k: v for k, v in book.outputs.items() if not steps_in(v) & missing
            },
            artifacts=tuple(
                replace(artifact, is_required=not left_out and artifact.is_required)
                for artifact in book.artifacts
                if not steps_in(artifact.path) & missing
            ),
        ),
        left_out=left_out,
    )


def _chosen(book: Runbook, wanted: Wanted) -> frozenset[int]:
    if wanted.only and (wanted.first is not None or wanted.last is not None):
        raise UsageError(
            "--step names single steps, --from and --until a part of the file",
            remedy="use the one or the other",
        )
    if wanted.only:
        return frozenset(_find(book.steps, name) for name in wanted.only)
    first = 0 if wanted.first is None else _find(book.steps, wanted.first)
    last = len(book.steps) - 1
    if wanted.last is not None:
        last = _find(book.steps, wanted.last)
    if first > last:
        raise UsageError(
            f"step {wanted.first!r} comes after step {wanted.last!r}",
            remedy=f"exchange them: --from {wanted.last} --until {wanted.first}",
        )
    return frozenset(range(first, last + 1))


def _find(steps: Sequence[Step], name: str) -> int:
    for fits in (_by_id, _by_place, _by_label):
        found = [i for i, step in enumerate(steps) if fits(step, i, name)]
        if len(found) == 1:
            return found[0]
        if found:
            numbers = ", ".join(str(i + 1) for i in found)
            raise UsageError(
                f"several steps are called {name!r}",
                remedy=f"give its number instead: {numbers}",
            )
    for i, step in enumerate(steps):
        if any(inner.id == name for inner in flat([step])):
            raise UsageError(
                f"step {name!r} runs as a part of step {i + 1} only",
                remedy=f"choose that one: {_called(step, i)}",
            )
    known = [_called(step, i) for i, step in enumerate(steps)]
    raise UsageError(
        f"there is no step {name!r}", remedy=suggest(name, known, kind="steps")
    )


def _by_id(step: Step, index: int, name: str) -> bool:
    del index
    return step.id == name


def _by_place(step: Step, index: int, name: str) -> bool:
    return name in (str(index + 1), step.path)


def _by_label(step: Step, index: int, name: str) -> bool:
    del index
    return step.label == name


def _called(step: Step, index: int) -> str:
    return step.id or str(index + 1)


def _creates_for(book: Runbook, chosen: frozenset[int]) -> frozenset[int]:
    """The `create` steps above whose sandboxes the chosen steps work in."""
    creates = {i: step for i, step in enumerate(book.steps) if step.verb == CREATE}
    first = next((_made_by(step) for step in creates.values()), _MAIN)
    used = {
        step.sandbox or first
        for i, chosen_step in enumerate(book.steps)
        if i in chosen
        for step in flat([chosen_step])
    }
    last = max(chosen)
    return frozenset(i for i, s in creates.items() if i < last and _made_by(s) in used)


def _made_by(step: Step) -> str:
    options = step.args.get(CREATE)
    name = options.get("as", _MAIN) if isinstance(options, Mapping) else _MAIN
    return str(name)


def _refuse_missing(step: Step, missing: Collection[str]) -> None:
    for name in sorted(_needs(step).intersection(missing)):
        raise UsageError(
            f"{step.at}: this step uses the result of step {name!r}, which is left out",
            remedy=f"let it run too, with --step {name} or a wider --from and --until",
        )


def _needs(step: Step) -> frozenset[str]:
    """The ids of the steps whose results this one and those inside it use."""
    found = set[str]()
    for inner in flat([step]):
        found.update(*(steps_in(value) for value in _values(inner)))
        checked = inner.args.get(inner.verb)
        if inner.verb == _CHECK and isinstance(checked, Mapping):
            found.add(str(checked.get("step")))
    return frozenset(found)


def _values(step: Step) -> Iterator[Value]:
    """Everything of a step that may hold expressions."""
    yield from step.args.values()
    yield from step.env.values()
    yield from step.save.values()
    yield from (step.label, step.condition, step.for_each, step.limit, step.timeout)
    yield from (step.cwd, step.expect, step.allow_failure)
    retry = step.retry
    if isinstance(retry, Retry):
        yield from (retry.times, retry.wait, retry.backoff, retry.max_wait)
        yield retry.jitter
    else:
        yield retry
