"""What a plan says: to people in lines, to programs as an object."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from sandbook.api import JSON
from sandbook.cli._steps import label_of, title_of
from sandbook.expressions import Value, as_written
from sandbook.plan import Plan, PlannedSandbox
from sandbook.runbook import Step
from sandbook.units import format_duration, format_size

_KEY = 11
_LIFETIME = 600.0
_SECTIONS = ("setup", "steps", "finally")
_EMULATED = {
    "watch": "emulated: what comes and goes between two looks is not seen",
}
_SETUP_NOTE = "(runs every time: what it leaves is not stored yet)"


def is_possible(plan: Plan) -> bool:
    """Whether every sandbox has somebody to make it."""
    return all(each.selection.candidates for each in plan.sandboxes.values())


def plan_words(plan: Plan, inputs: Mapping[str, JSON]) -> Iterator[str]:
    """The plan in lines."""
    book = plan.runbook
    yield f"{title_of(book) or as_written(book.name)}  {book.path}"
    yield from _rows("inputs", [f"{k} = {json.dumps(v)}" for k, v in inputs.items()])
    yield from _rows("secrets", book.secrets)
    for planned in plan.sandboxes.values():
        yield from _rows("sandbox", _sandbox_words(planned))
    for section in _SECTIONS:
        yield from _rows(section, _step_words(plan, section))
        if section == "setup" and book.setup:
            yield from _rows("", [_SETUP_NOTE])
    yield from _rows(
        "artifacts", [_artifact(plan, i) for i in range(len(book.artifacts))]
    )
    if book.timeout is not None:
        yield from _rows("timeout", [_duration(book.timeout)])


def plan_object(plan: Plan, inputs: Mapping[str, JSON]) -> dict[str, JSON]:
    """The same for programs."""
    book = plan.runbook
    return {
        "name": title_of(book) or as_written(book.name),
        "file": str(book.path),
        "inputs": dict(inputs),
        "secrets": list(book.secrets),
        "sandboxes": [_sandbox_object(each) for each in plan.sandboxes.values()],
        "steps": [_step_object(plan, step) for step in plan.steps],
        "artifacts": [
            {"path": as_written(each.path), "sandbox": each.sandbox}
            for each in book.artifacts
        ],
        "timeout": _seconds(book.timeout),
    }


def _rows(key: str, values: Sequence[str] | Iterator[str]) -> Iterator[str]:
    shown = key
    for value in values:
        yield f"  {shown:<{_KEY}}{value}"
        shown = ""


def _sandbox_words(planned: PlannedSandbox) -> Iterator[str]:
    selection = planned.selection
    if selection.candidates:
        first, *others = selection.candidates
        then = f", else {', '.join(each.name for each in others)}" if others else ""
        yield f"{planned.name}: {first.name} ({first.capabilities.isolation}){then}"
    else:
        yield f"{planned.name}: no provider can make it"
    for each in selection.passed_over:
        yield f"  not {each.name}: {each.reason}"
    yield f"  isolation at least {selection.floor}; network {_network(planned)}"
    yield f"  lives {_lifetime(planned)} without us"
    yield f"  limits {_limits(planned)}"
    if planned.need:
        yield f"  needs {', '.join(_needs(planned))}"


def _needs(planned: PlannedSandbox) -> Iterator[str]:
    """The capabilities, with a mark where the first provider only emulates one."""
    candidates = planned.selection.candidates
    emulated = candidates[0].emulated if candidates else ()
    for need in sorted(planned.need):
        how = _EMULATED.get(need, "emulated")
        yield f"{need} ({how})" if need in emulated else need


def _option(planned: PlannedSandbox, key: str) -> Value:
    """An option of the `create` step, else of `sandbox:`; None when unwritten."""
    creator = planned.created_by
    own = creator.args.get("create") if creator else None
    if isinstance(own, Mapping) and key in own:
        return own[key]
    return planned.runbook.sandbox.get(key)


def _network(planned: PlannedSandbox) -> str:
    value = _option(planned, "network")
    if value is None or value is True:
        return "egress"
    return "off" if value is False else f"only {_as_text(value)}"


def _lifetime(planned: PlannedSandbox) -> str:
    value = _option(planned, "timeout")
    return format_duration(_LIFETIME) if value is None else _duration(value)


def _duration(value: Value) -> str:
    if isinstance(value, int | float):
        return format_duration(float(value))
    return as_written(value)


def _seconds(value: Value) -> JSON:
    """Seconds, or the expression as it is written; None = no limit."""
    if value is None or isinstance(value, int | float):
        return value
    return as_written(value)


def _limits(planned: PlannedSandbox) -> str:
    value = _option(planned, "resources")
    if not isinstance(value, Mapping) or not value:
        return "of the provider"
    return ", ".join(f"{name} {_limit(name, each)}" for name, each in value.items())


def _limit(name: str, value: Value) -> str:
    if name in ("memory", "disk") and isinstance(value, int):
        return format_size(value)
    return as_written(value)


def _as_text(value: Value) -> str:
    if isinstance(value, tuple):
        return ", ".join(as_written(item) for item in value)
    return as_written(value)


def _section_of(step: Step) -> str:
    return step.path.partition("[")[0]


def _step_words(plan: Plan, section: str) -> Iterator[str]:
    many = len(plan.sandboxes) > 1
    for step in plan.steps:
        if _section_of(step) == section:
            depth = step.path.count(".") - step.path.count(".use.")
            indent = "  " * depth
            where = f"  in {plan.sandbox_of(step)}" if many else ""
            yield f"{indent}{label_of(step)}{where}  {step.at}"


def _artifact(plan: Plan, index: int) -> str:
    artifact = plan.runbook.artifacts[index]
    where = f"  in {artifact.sandbox}" if artifact.sandbox else ""
    return f"{as_written(artifact.path)}{where}"


def _sandbox_object(planned: PlannedSandbox) -> JSON:
    selection = planned.selection
    return {
        "name": planned.name,
        "provider": selection.candidates[0].name if selection.candidates else None,
        "candidates": [
            {
                "name": each.name,
                "isolation": each.capabilities.isolation,
                "emulated": list(each.emulated),
            }
            for each in selection.candidates
        ],
        "passed_over": [
            {"name": each.name, "outcome": each.outcome, "reason": each.reason}
            for each in selection.passed_over
        ],
        "isolation": selection.floor,
        "needs": sorted(planned.need),
        "network": _network(planned),
        "lifetime": _lifetime(planned),
        "limits": _limits(planned),
    }


def _step_object(plan: Plan, step: Step) -> JSON:
    return {
        "name": label_of(step),
        "id": step.id,
        "path": step.path,
        "verb": step.verb,
        "sandbox": plan.sandbox_of(step),
        "at": str(step.at),
        "timeout": _seconds(step.timeout),
        "if": _condition(step.condition),
    }


def _condition(value: Value) -> str | None:
    return None if value is True else as_written(value)
