"""Check that each step runs in a sandbox that exists by then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from sandbook.api import VerbSpec
from sandbook.expressions import Template
from sandbook.loader._source import Source
from sandbook.problems import suggest
from sandbook.runbook import Runbook, Step
from sandbook.schema import CREATE, alternatives

MAIN: Final = "main"
"""The sandbox a runbook has when it names none."""


def check_sandboxes(
    runbook: Runbook, source: Source, verbs: Mapping[str, VerbSpec]
) -> None:
    """Add a problem for each sandbox that is missing, doubled or not said."""
    _check_setup(runbook, source)
    checker = _Checker(source, verbs, _created(runbook))
    for steps in (runbook.setup, runbook.steps, runbook.final):
        checker.check(steps, None)
    for artifact in runbook.artifacts:
        if artifact.sandbox is not None:
            offset = source.offset(artifact.at)
            checker.refuse_unknown(artifact.sandbox, offset, checker.all_names)


def _check_setup(runbook: Runbook, source: Source) -> None:
    """What lives on after its step cannot be stored with the files of a sandbox."""
    for step in _flat(runbook.setup):
        what = {CREATE: "a sandbox cannot be created"}.get(step.verb)
        if step.args.get("background") is True:
            what = "a background command cannot run"
        if what is not None:
            offset = source.offset(step.at)
            message = f"{what} in `setup`, whose outcome is stored"
            source.add("SB213", offset, message, remedy="move the step to `steps`")


def _created(runbook: Runbook) -> list[str]:
    lists = (runbook.setup, runbook.steps, runbook.final)
    return [_name(step) for one in lists for step in _flat(one) if step.verb == CREATE]


def _name(step: Step) -> str:
    options = step.args.get(CREATE)
    name = options.get("as", MAIN) if isinstance(options, Mapping) else MAIN
    return str(name)


def _flat(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        for children in step.children.values():
            yield from _flat(children)


class _Checker:
    def __init__(
        self, source: Source, verbs: Mapping[str, VerbSpec], created: list[str]
    ) -> None:
        self._source = source
        self._verbs = verbs
        self.all_names = created or [MAIN]
        self._made: list[str] = [] if created else [MAIN]

    def check(self, steps: Iterable[Step], around: str | None) -> None:
        """Go through steps in order; `around` = the sandbox of the step around them."""
        for step in steps:
            if step.verb == CREATE:
                self._note(step)
            chosen = step.sandbox or around
            self._check_step(step, chosen)
            for children in step.children.values():
                self.check(children, chosen)

    def _note(self, step: Step) -> None:
        name = _name(step)
        if name in self._made:
            self._source.add(
                "SB211",
                self._source.offset(step.at),
                f"there is already a sandbox {name!r}",
                remedy="give this one another name with `as`",
            )
        self._made.append(name)

    def _check_step(self, step: Step, chosen: str | None) -> None:
        offset = self._source.offset(step.at)
        if chosen is not None:
            self.refuse_unknown(chosen, offset, self._made)
        elif len(self.all_names) > 1 and self._needs_one(step):
            self._source.add(
                "SB214",
                offset,
                "the file has several sandboxes, and this step does not say which",
                remedy=f"add `in: …`; there are {', '.join(self.all_names)}",
            )

    def refuse_unknown(self, name: str, offset: int, known: Iterable[str]) -> None:
        """Add a problem when there is no such sandbox, or none yet."""
        names = list(known)
        if name in names:
            return
        why, remedy = "does not exist", suggest(name, names, kind="sandboxes")
        if name in self.all_names:
            why, remedy = "is created below this step", "move its `create` up"
        message = f"the sandbox {name!r} {why}"
        self._source.add("SB214", offset, message, remedy=remedy)

    def _needs_one(self, step: Step) -> bool:
        spec = self._verbs[step.verb]
        if "in" in spec.refuses or step.children:
            return False
        # An expression that is checked needs no machine.
        value = step.args.get(step.verb)
        kinds = [one.get("x-kind") for one in alternatives(spec.value)]
        return not (isinstance(value, Template) and "expression" in kinds)
