"""What a run would do, and where: worked out before anything is sent anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from sandbook.api import ISOLATIONS, Capability, Isolation, Verb
from sandbook.chain import Chain, Selection
from sandbook.errors import Unsupported
from sandbook.runbook import Runbook, Step

MAIN = "main"
"""The sandbox that is made when a file has no `create`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSandbox:
    """A sandbox of the runbook, and who may make it; `created_by` a `create` step."""

    name: str
    need: frozenset[Capability]
    isolation: Isolation | None
    providers: tuple[str, ...]
    selection: Selection
    created_by: Step | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps in order, nested ones included, and the sandboxes they use."""

    runbook: Runbook
    steps: tuple[Step, ...]
    sandboxes: Mapping[str, PlannedSandbox]

    def sandbox_of(self, step: Step) -> str:
        """The name of the sandbox a step works in."""
        return step.sandbox or next(iter(self.sandboxes), MAIN)


def make_plan(runbook: Runbook, verbs: Mapping[str, Verb], chain: Chain) -> Plan:
    """Collect what each sandbox must be able to do, and select providers for it."""
    steps = tuple(every_step(runbook))
    creators = {_name_of(step): step for step in steps if step.verb == "create"}
    names = tuple(creators) or (MAIN,)
    needs = {name: set[Capability]() for name in names}
    for step in steps:
        need = verbs[step.verb].requires(step.args)
        if step.verb == "create":
            needs[_name_of(step)] |= need
        elif need:
            needs.setdefault(step.sandbox or names[0], set()).update(need)
    planned = {
        name: _sandbox(name, runbook, frozenset(need), creators.get(name), chain, verbs)
        for name, need in needs.items()
    }
    return Plan(runbook=runbook, steps=steps, sandboxes=planned)


def every_step(runbook: Runbook) -> Iterator[Step]:
    """All steps in the order they are written, children after their parent."""
    for step in (*runbook.setup, *runbook.steps, *runbook.final):
        yield from _with_children(step)


def _with_children(step: Step) -> Iterator[Step]:
    yield step
    for children in step.children.values():
        for child in children:
            yield from _with_children(child)


def _name_of(step: Step) -> str:
    options = step.args.get("create")
    name = options.get("as") if isinstance(options, Mapping) else None
    return name if isinstance(name, str) else MAIN


def _sandbox(
    name: str,
    runbook: Runbook,
    need: frozenset[Capability],
    creator: Step | None,
    chain: Chain,
    verbs: Mapping[str, Verb],
) -> PlannedSandbox:
    options = sandbox_options(runbook, creator)
    _refuse_packages(options)
    if "create" in verbs:
        need |= verbs["create"].requires({"create": options})
    providers = _providers(options.get("provider"))
    isolation = _isolation(options.get("isolation"))
    return PlannedSandbox(
        name=name,
        need=need,
        isolation=isolation,
        providers=providers,
        selection=chain.select(need=need, isolation=isolation, providers=providers),
        created_by=creator,
    )


def sandbox_options(runbook: Runbook, creator: Step | None) -> Mapping[str, object]:
    """`sandbox:` of the file, overlaid with what the `create` step says."""
    written = creator.args.get("create") if creator else None
    own: Mapping[str, object] = written if isinstance(written, Mapping) else {}
    return {**runbook.sandbox, **own}


def _refuse_packages(options: Mapping[str, object]) -> None:
    if options.get("packages"):
        raise Unsupported(
            "`packages` is not installed by any provider of this version",
            provider="",
            operation="create",
            sent="no",
            remedy="install them in a step: command: pip install NAME",
        )


def _providers(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return () if value == "auto" else (value,)
    if isinstance(value, Sequence):
        names = cast("Sequence[object]", value)
        return tuple(name for name in names if isinstance(name, str))
    return ()


def _isolation(value: object) -> Isolation | None:
    return next((level for level in ISOLATIONS if level == value), None)
