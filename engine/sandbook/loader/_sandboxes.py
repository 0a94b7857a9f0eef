"""Check that each step runs in a sandbox that exists by then, and still does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sandbook.api import VerbSpec
from sandbook.expressions import Template
from sandbook.loader._nodes import Node
from sandbook.loader._places import Places
from sandbook.problems import suggest
from sandbook.runbook import Runbook, Step, flat
from sandbook.schema import CREATE, alternatives

MAIN: Final = "main"
"""The sandbox a runbook has when it names none."""

TEARDOWN: Final = "teardown"
USE: Final = "use"
CHECK: Final = "check"
_ASK_THE_SANDBOX: Final = ("http", "file")


def check_sandboxes(
    runbook: Runbook, places: Places, verbs: Mapping[str, VerbSpec]
) -> None:
    """Add a problem for each sandbox that is missing, doubled, gone or not said."""
    created = _created(runbook)
    checker = _Checker(places, verbs, created or [MAIN])
    if not created:
        checker.life.made.append(MAIN)
    # `setup` comes before every `create`: which sandbox it prepares is another matter.
    checker.check(runbook.setup, None, in_setup=True)
    for steps in (runbook.steps, runbook.final):
        checker.check(steps, None)
    for index, artifact in enumerate(runbook.artifacts):
        if artifact.sandbox is not None:
            checker.refuse_unknown(
                artifact.sandbox, places.top("artifacts", index, "in")
            )


def _created(runbook: Runbook) -> list[str]:
    lists = (runbook.steps, runbook.final)
    return [_name(step) for one in lists for step in flat(one) if step.verb == CREATE]


def _name(step: Step) -> str:
    options = step.args.get(CREATE)
    name = options.get("as", MAIN) if isinstance(options, Mapping) else MAIN
    return str(name)


def _ended(step: Step, names: list[str]) -> str | None:
    """The sandbox that a `teardown` step ends."""
    if step.verb != TEARDOWN:
        return None
    name = step.args.get(TEARDOWN)
    if isinstance(name, str):
        return name
    return names[0] if len(names) == 1 else None


@dataclass(slots=True)
class _Life:
    """The sandboxes at one place of the file.

    `gone` maps those torn down above to the line, `ending` are those that a step
    which runs at the same time tears down.
    """

    made: list[str] = field(default_factory=list[str])
    gone: dict[str, int] = field(default_factory=dict[str, int])
    ending: frozenset[str] = frozenset()


class _Checker:
    def __init__(
        self, places: Places, verbs: Mapping[str, VerbSpec], names: list[str]
    ) -> None:
        self._places = places
        self._verbs = verbs
        self.all_names = list(dict.fromkeys(names))
        self.life = _Life()

    def check(
        self, steps: Iterable[Step], around: str | None, *, in_setup: bool = False
    ) -> None:
        """Go through steps in order; `around` = the sandbox of the step around them."""
        for step in steps:
            if in_setup:
                if step.sandbox is not None:
                    self.refuse_unknown(step.sandbox, self._places.of(step, "in"))
                continue
            if step.verb == CREATE:
                self._create(step)
            elif step.verb == TEARDOWN:
                self._teardown(step)
            chosen = step.sandbox or around
            self._check_step(step, chosen)
            for key, children in step.children.items():
                if key == step.verb:
                    self._at_once(children, chosen)
                else:
                    self.check(children, chosen)

    def _at_once(self, children: tuple[Step, ...], around: str | None) -> None:
        """Steps that run at once see neither what a sibling makes nor what it ends."""
        before = self.life
        made, gone = list(before.made), dict(before.gone)
        ended = [
            {name for one in flat([child]) if (name := _ended(one, self.all_names))}
            for child in children
        ]
        for index, child in enumerate(children):
            others = (names for at, names in enumerate(ended) if at != index)
            self.life = _Life(
                list(before.made),
                dict(before.gone),
                before.ending | frozenset(name for names in others for name in names),
            )
            self.check([child], around)
            made += [name for name in self.life.made if name not in made]
            gone |= self.life.gone
        self.life = _Life(made, gone, before.ending)

    def _create(self, step: Step) -> None:
        name = _name(step)
        if name in self.life.made:
            node = self._places.of(step, CREATE, "as")
            self._places.add(
                "SB211",
                node,
                f"there is already a sandbox {name!r}",
                "give this one another name with `as`",
                step=step,
            )
        self.life.made.append(name)

    def _teardown(self, step: Step) -> None:
        name = step.args.get(TEARDOWN)
        node = self._places.of(step, TEARDOWN)
        if isinstance(name, str):
            self.refuse_absent(name, node, step)
        elif len(self.all_names) > 1:
            known = ", ".join(self.all_names)
            message = "the file has several sandboxes, and this does not say which ends"
            remedy = f"write `teardown: NAME`; there are {known}"
            self._places.add("SB214", None, message, remedy, step=step)
        else:
            self.refuse_absent(self.all_names[0], None, step)
        ended = _ended(step, self.all_names)
        own = self._places.of(step)
        if ended is not None and own is not None:
            self.life.gone.setdefault(ended, self._places.line_of(own))

    def _check_step(self, step: Step, chosen: str | None) -> None:
        if not self._needs_one(step):
            if step.sandbox is not None:
                self._refuse(step, step.sandbox)
        elif chosen is not None:
            self._refuse(step, chosen)
        elif len(self.all_names) > 1:
            self._places.add(
                "SB214",
                None,
                "the file has several sandboxes, and this step does not say which",
                f"add `in: …`; there are {', '.join(self.all_names)}",
                step=step,
            )
        else:
            self._refuse(step, self.all_names[0])

    def _refuse(self, step: Step, name: str) -> None:
        node = self._places.of(step, "in")
        self.refuse_absent(name, node, step)

    def refuse_unknown(self, name: str, node: Node | None) -> None:
        """Add a problem when the file has no such sandbox."""
        if name not in self.all_names:
            remedy = suggest(name, self.all_names, kind="sandboxes")
            self._add(name, node, None, "does not exist", remedy)

    def refuse_absent(self, name: str, node: Node | None, step: Step) -> None:
        """Add a problem when there is no such sandbox, none yet, or none any more."""
        line = self.life.gone.get(name)
        if name not in self.all_names:
            self.refuse_unknown(name, node)
        elif name not in self.life.made:
            why = "is created below this step"
            self._add(name, node, step, why, "move its `create` up")
        elif line is not None:
            remedy = "move the `teardown` down, or this step up"
            self._add(name, node, step, f"was torn down in line {line}", remedy)
        elif name in self.life.ending:
            why = "is torn down by a step that runs at the same time"
            self._add(name, node, step, why, "move the `teardown` below these steps")

    def _add(
        self, name: str, node: Node | None, step: Step | None, *words: str
    ) -> None:
        why, remedy = words
        message = f"the sandbox {name!r} {why}"
        self._places.add("SB214", node, message, remedy, step=step)

    def _needs_one(self, step: Step) -> bool:
        spec = self._verbs[step.verb]
        if "in" in spec.refuses or step.children:
            return False
        if step.verb == USE:
            return step.used is not None and not step.used.has_own_sandbox
        # Neither an expression nor a result that is checked needs a machine.
        value = step.args.get(step.verb)
        if step.verb == CHECK and isinstance(value, Mapping):
            return any(key in value for key in _ASK_THE_SANDBOX)
        kinds = [one.get("x-kind") for one in alternatives(spec.value)]
        return not (isinstance(value, Template) and "expression" in kinds)
