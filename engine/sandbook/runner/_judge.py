"""Whether what a verb gave is what the step wanted: `save`, then `expect`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sandbook.api import JSON, Bound, Failure, Outcome
from sandbook.expectations import replaces, shown
from sandbook.expressions import Scope, evaluate
from sandbook.finding import Found, PatternTooSlow, nearest_line, search
from sandbook.runbook import Step
from sandbook.runner._try import Try


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome after `expect`, and the values of `save`."""

    outcome: Outcome
    values: Mapping[str, JSON] = field(default_factory=dict[str, JSON])


async def judge(step: Step, one: Try, outcome: Outcome, scope: Scope) -> Verdict:
    """Judge one try; what `expect` asks for may replace the verb's own check."""
    expect = evaluate(step.expect, scope)
    subjects: Mapping[str, Bound] = expect if isinstance(expect, Mapping) else {}
    failure = outcome.failure
    if failure is not None and not replaces(subjects, failure.subject):
        return Verdict(outcome=outcome)
    values, missing = await _saved(step, outcome, one, scope)
    if missing:
        failed = Failure(cause=missing, kind="expect")
        return Verdict(outcome=replace(outcome, failure=failed), values=values)
    wrong: tuple[str, ...] = ()
    if subjects:
        wrong = await one.check(subjects, {**outcome.fields, "values": values})
    unmet = Failure(cause="; ".join(wrong), kind="expect") if wrong else None
    return Verdict(outcome=replace(outcome, failure=unmet), values=values)


async def _saved(
    step: Step, outcome: Outcome, one: Try, scope: Scope
) -> tuple[Mapping[str, JSON], str]:
    """The first group (or all) of each match; and why one is missing.

    A verb that evaluates them itself has done so.
    """
    if one.save:
        lacking = [repr(name) for name in one.save if name not in outcome.values]
        told = f"`save` of {', '.join(lacking)} gave no value that fits JSON"
        return outcome.values, told if lacking else ""
    fields = outcome.fields
    values: dict[str, JSON] = {}
    # Of a terminal, what stands on the screen counts before what scrolled away.
    names = ("stdout",) if "stdout" in fields else ("text", "output")
    texts = [str(fields.get(name) or "") for name in names]
    for saved, pattern in step.save.items():
        written = str(evaluate(pattern, scope))
        try:
            found = await _first_match(written, texts)
        except PatternTooSlow as error:
            return values, f"`save` of {saved!r}: {error.message}; {error.remedy}"
        if found is None:
            near = nearest_line(texts[-1], written)
            least = f"it is {shown(texts[-1])}"
            least = f"the nearest line is {near!r}" if near else least
            told = f"`save` found no match of {written!r} for {saved!r}"
            return values, f"{told} in {names[-1]}: {least}"
        values[saved] = found.first
    return values, ""


async def _first_match(pattern: str, texts: Sequence[str]) -> Found | None:
    for text in texts:
        found = await search(pattern, text)
        if found is not None:
            return found
    return None
