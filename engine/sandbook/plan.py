"""What a run would do, and where: worked out before anything is sent anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from sandbook.api import (
    CAPABILITIES,
    ISOLATIONS,
    Capabilities,
    Capability,
    Isolation,
    Verb,
)
from sandbook.chain import Chain, Selection
from sandbook.errors import Unsupported, UsageError
from sandbook.runbook import Runbook, Step, flat
from sandbook.schema import CREATE

USE = "use"
MAIN = "main"
"""The sandbox that is made when a file has no `create`."""
LOCAL = "local"
_CODE = "code."
_PROGRAMS = {"javascript": "Node.js (`node`)", "bash": "bash"}
"""What this computer needs for a language of code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSandbox:
    """A sandbox of a runbook, and who may make it; `created_by` a `create` step.

    `name` is unique in the run, `local` what its own file, `runbook`, calls it.
    """

    name: str
    local: str
    runbook: Runbook
    need: frozenset[Capability]
    isolation: Isolation | None
    providers: tuple[str, ...]
    selection: Selection
    created_by: Step | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps in order and the sandboxes they use, those of used runbooks included.

    `names` maps what this file calls its own sandboxes to their names in the run;
    in a runbook that works in the sandbox of the step that uses it, all are `shared`.
    `used` are the plans of the runbooks it uses, by the paths of the steps.
    """

    runbook: Runbook
    steps: tuple[Step, ...]
    sandboxes: Mapping[str, PlannedSandbox]
    names: Mapping[str, str]
    used: Mapping[str, Plan] = field(default_factory=dict[str, "Plan"])
    shared: str | None = None

    @property
    def first(self) -> str:
        """The name in the run of the sandbox that is meant where none is named."""
        return self.shared or next(iter(self.names.values()), MAIN)

    def name_of(self, local: str | None) -> str:
        """The name in the run of what this file calls so."""
        if self.shared is not None or local is None:
            return self.first
        return self.names.get(local, local)

    def local_name(self, name: str) -> str:
        """What this file calls a sandbox of the run."""
        return next((own for own, known in self.names.items() if known == name), MAIN)

    def sandbox_of(self, step: Step) -> str:
        """The name in the run of the sandbox a step works in."""
        for path, plan in self.used.items():
            if step.path.startswith(f"{path}.{USE}."):
                return plan.sandbox_of(step)
        if step.verb == CREATE:
            return self.name_of(_name_of(step))
        return self.name_of(step.sandbox)

    def placed(self, place: str, shared: str) -> Plan:
        """This plan of a used runbook for one execution: `place` makes names unique.

        `shared` is the sandbox of the step that uses it.
        """
        if self.shared is not None:
            return replace(self, shared=shared)
        names = {local: f"{place}.{local}" for local in self.names}
        own = {
            names[planned.local]: replace(planned, name=names[planned.local])
            for planned in self.sandboxes.values()
            if planned.name in self.names.values()
        }
        return replace(self, names=names, sandboxes=own)


def make_plan(runbook: Runbook, verbs: Mapping[str, Verb], chain: Chain) -> Plan:
    """Collect what each sandbox must be able to do, and select providers for it."""
    needs: dict[str, set[Capability]] = {}
    return _Planner(verbs, chain).plan(runbook, needs, place="", shared=None)


class _Planner:
    """Plans a runbook with all it uses; `needs` grow by the sandbox's name."""

    def __init__(self, verbs: Mapping[str, Verb], chain: Chain) -> None:
        self._verbs = verbs
        self._chain = chain

    def plan(
        self,
        runbook: Runbook,
        needs: dict[str, set[Capability]],
        *,
        place: str,
        shared: str | None,
    ) -> Plan:
        lists = (runbook.setup, runbook.steps, runbook.final)
        own = tuple(step for one in lists for step in flat(one))
        creators = {_name_of(step): step for step in own if step.verb == CREATE}
        names = {local: f"{place}{local}" for local in creators or (MAIN,)}
        plan = Plan(
            runbook=runbook,
            steps=tuple(every_step(runbook)),
            sandboxes={},
            names=names if shared is None else {},
            shared=shared,
        )
        for name in plan.names.values():
            needs.setdefault(name, set())
        used = self._used(plan, own, needs)
        mine = {
            name: self._sandbox(plan, local, name, needs[name], creators.get(local))
            for local, name in plan.names.items()
        }
        theirs = {n: s for each in used.values() for n, s in each.sandboxes.items()}
        return replace(plan, used=used, sandboxes={**mine, **theirs})

    def _used(
        self, plan: Plan, own: Sequence[Step], needs: dict[str, set[Capability]]
    ) -> dict[str, Plan]:
        used: dict[str, Plan] = {}
        for step in own:
            name = plan.sandbox_of(step)
            if step.used is not None:
                used[step.path] = self.plan(
                    step.used,
                    needs,
                    place=f"{step.path}.{USE}.",
                    shared=None if step.used.has_own_sandbox else name,
                )
            need = self._verbs[step.verb].requires(step.args)
            if need:
                needs.setdefault(name, set()).update(need)
        return used

    def _sandbox(
        self,
        plan: Plan,
        local: str,
        name: str,
        need: set[Capability],
        creator: Step | None,
    ) -> PlannedSandbox:
        options = sandbox_options(plan.runbook, creator)
        _refuse_packages(options)
        if CREATE in self._verbs:
            need |= self._verbs[CREATE].requires({CREATE: options})
        providers = _providers(options.get("provider"))
        isolation = _isolation(options.get("isolation"))
        selection = self._chain.select(
            need=frozenset(need), isolation=isolation, providers=providers
        )
        _refuse_without_root(options, selection)
        _refuse_language(frozenset(need), selection)
        return PlannedSandbox(
            name=name,
            local=local,
            runbook=plan.runbook,
            need=frozenset(need),
            isolation=isolation,
            providers=providers,
            selection=selection,
            created_by=creator,
        )


def every_step(runbook: Runbook) -> Iterator[Step]:
    """All steps in the order they are written: after each those inside it, and used."""
    for step in (*runbook.setup, *runbook.steps, *runbook.final):
        yield from _with_inner(step)


def _with_inner(step: Step) -> Iterator[Step]:
    yield step
    for children in step.children.values():
        for child in children:
            yield from _with_inner(child)
    if step.used is not None:
        yield from every_step(step.used)


def _name_of(step: Step) -> str:
    options = step.args.get(CREATE)
    name = options.get("as") if isinstance(options, Mapping) else None
    return name if isinstance(name, str) else MAIN


def sandbox_options(runbook: Runbook, creator: Step | None) -> Mapping[str, object]:
    """`sandbox:` of the file, overlaid with what the `create` step says."""
    written = creator.args.get(CREATE) if creator else None
    own: Mapping[str, object] = written if isinstance(written, Mapping) else {}
    return {**runbook.sandbox, **own}


def _refuse_packages(options: Mapping[str, object]) -> None:
    """Refuse what is written plainly and is no name; the rest waits for its values."""
    packages = options.get("packages")
    if not isinstance(packages, Mapping):
        return
    for key, names in cast("Mapping[str, object]", packages).items():
        if isinstance(names, str) or not isinstance(names, Sequence):
            continue
        for index, name in enumerate(cast("Sequence[object]", names)):
            if isinstance(name, str):
                refuse_package(name, f"packages.{key}[{index}]")


def refuse_package(name: str, key: str) -> None:
    """Raise `UsageError` for what pip or apt would not take as a package."""
    if not name.strip() or name.startswith("-") or "\0" in name:
        raise UsageError(
            f"`{key}` is {name!r}, which is no package",
            remedy="write only names of packages; options of pip are variables, as "
            "`env: {PIP_INDEX_URL: ...}`",
        )


def _refuse_without_root(options: Mapping[str, object], selection: Selection) -> None:
    packages = options.get("packages")
    if selection.candidates or not isinstance(packages, Mapping):
        return
    lacking = [p.name for p in selection.passed_over if "exec.user" in p.reason]
    if not lacking or not cast("Mapping[str, object]", packages).get("apt"):
        return
    raise Unsupported(
        f"`packages.apt` needs root in the sandbox (exec.user), which "
        f"{' and '.join(lacking)} cannot give",
        provider=lacking[0],
        operation="create",
        sent="no",
        remedy="leave `packages.apt` out, or choose another provider, or a template "
        "that has them",
    )


def _refuse_language(need: frozenset[Capability], selection: Selection) -> None:
    """Refuse code that nobody who is set up can run, with what they do run."""
    able = {p.name: p.capabilities for p in selection.passed_over if p.capabilities}
    if selection.candidates or not able:
        return
    spoken = {name: _languages(each) for name, each in able.items()}
    for language in sorted(each.removeprefix(_CODE) for each in need if _is_code(each)):
        if not any(language in known for known in spoken.values()):
            raise Unsupported(
                f"no provider that is set up here runs code in {language!r}",
                provider=next(iter(able)),
                operation="code",
                sent="no",
                remedy=_instead(language, spoken),
            )


def _instead(language: str, spoken: Mapping[str, Sequence[str]]) -> str:
    # 10 ms to import, and only who is refused needs it.
    from difflib import get_close_matches

    every = sorted({each for known in spoken.values() for each in known})
    near = get_close_matches(language, every, n=1)
    lines = [f"did you mean {near[0]!r}?"] if near else []
    if language in _PROGRAMS and LOCAL in spoken:
        lines.append(f"install {_PROGRAMS[language]}, and {LOCAL} runs it")
    lines += [
        f"{name} runs {', '.join(known) or 'no code'}" for name, known in spoken.items()
    ]
    return "\n".join(lines)


def _languages(capabilities: Capabilities) -> Sequence[str]:
    every = capabilities.native | capabilities.emulated
    return sorted(each.removeprefix(_CODE) for each in every if _is_code(each))


def _is_code(capability: Capability) -> bool:
    """Whether it is a language, and not something about its results."""
    return capability.startswith(_CODE) and capability not in CAPABILITIES


def _providers(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return () if value == "auto" else (value,)
    if isinstance(value, Sequence):
        names = cast("Sequence[object]", value)
        return tuple(name for name in names if isinstance(name, str))
    return ()


def _isolation(value: object) -> Isolation | None:
    return next((level for level in ISOLATIONS if level == value), None)
