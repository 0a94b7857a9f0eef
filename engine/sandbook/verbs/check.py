"""`check`: something must hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import anyio

from sandbook.api import (
    JSON,
    Bound,
    Capability,
    Failure,
    Outcome,
    StepScope,
    VerbSpec,
)
from sandbook.errors import UsageError
from sandbook.verbs import _arguments as get
from sandbook.verbs._probes import NoAnswer, http_get
from sandbook.verbs._schemas import DURATION, NAME, TEXT, TEXT_MAP, any_of, described

FIRST_LOOK, FIRST_PAUSE, LONGEST_PAUSE = 5.0, 0.05, 1.0
_HTTP_FAILED = 400
SUBJECTS = (
    "exit",
    "stdout",
    "stderr",
    "output",
    "text",
    "json",
    "values",
    "file",
    "status",
)

_LOOK = {
    "type": "object",
    # The schema module adds the matchers of these subjects.
    "x-subjects": list(SUBJECTS),
    "properties": {
        "http": described(
            TEXT,
            "A URL, asked from inside the sandbox; redirects are followed.",
            "http://127.0.0.1:8080/",
            title="HTTP",
        ),
        "headers": described(
            TEXT_MAP, "Headers of the request.", {"Accept": "application/json"}
        ),
        "step": described(NAME, "The id of a step above: its result.", "server"),
        "within": described(
            DURATION,
            "Look again and again for that long, until it holds; without it, once.",
            "30s",
        ),
    },
    "additionalProperties": False,
    "minProperties": 1,
}

SPEC = VerbSpec(
    name="check",
    summary="fail unless something holds",
    value=described(
        any_of({"type": "string", "x-kind": "expression"}, _LOOK),
        "An expression that must be true, or a map of what must hold: of an answer "
        "(`http`), of the result of a step above (`step`), or of files (`file`).",
        "steps.build.exit == 0",
        {"http": "http://127.0.0.1:8080/", "status": 200},
    ),
    fields={"status": "HTTP status", "text": "body or text", "json": "parsed"},
    refuses=("expect", "save"),
    repeatable=True,
)

_OWN_KEYS = frozenset({"http", "headers", "step", "within"})


_NEEDS: Final[Mapping[str, str]] = {"http": "exec", "file": "files"}
_NOTHING_SEEN: Final = Failure(
    cause="it could not be looked at in that time", kind="expect"
)


class Check:
    """The verb."""

    spec = SPEC

    def requires(self, args: Mapping[str, object]) -> frozenset[Capability]:
        """`exec` to ask a URL, `files` to look at a file, else no sandbox at all."""
        value = args.get("check")
        if not isinstance(value, Mapping):
            return frozenset()
        return frozenset(need for key, need in _NEEDS.items() if key in value)

    async def run(self, step: StepScope) -> Outcome:
        """Look once, or until it holds."""
        value = step.args["check"]
        if isinstance(value, Mapping):
            return await self._subjects(step, value)
        if value is True:
            return Outcome()
        said = f"it is {get.kind_of(value)}"
        if value is False:
            said = step.why_false("check")
        return Outcome(failure=Failure(cause=f"the check does not hold: {said}"))

    async def _subjects(self, step: StepScope, value: Mapping[str, Bound]) -> Outcome:
        if not value.keys() - {"headers", "within", "step"}:
            raise UsageError(
                "the check names nothing that must hold",
                remedy="add what it must be, as `exit: 0` or `text: ready`",
            )
        within = get.number(value, "within", 0.0)
        if not within:
            return await _look(step, value)
        return await _until_it_holds(step, value, within)


async def _until_it_holds(
    step: StepScope, value: Mapping[str, Bound], within: float
) -> Outcome:
    if value.keys() & _NEEDS.keys():
        # The time is for what is looked at, not for making the place where it is.
        await step.sandbox()
    deadline = anyio.current_time() + within
    outcome, looks, pause = Outcome(failure=_NOTHING_SEEN), 0, FIRST_PAUSE
    # One look is due, however slow the computer is.
    with anyio.move_on_after(max(within, FIRST_LOOK)):
        outcome, looks = await _look(step, value), 1
    with anyio.CancelScope(deadline=deadline):
        while outcome.failure is not None:
            await anyio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)
            outcome, looks = await _look(step, value), looks + 1
    last = outcome.failure
    if last is None:
        return outcome
    times = f"{looks} time" if looks == 1 else f"{looks} times"
    cause = f"{last.cause} (looked {times} within {within:g} s)"
    return replace(outcome, failure=replace(last, cause=cause))


async def _look(step: StepScope, value: Mapping[str, Bound]) -> Outcome:
    fields: Mapping[str, JSON] = {}
    if "http" in value:
        answer = await _ask(step, value)
        if isinstance(answer, str):
            return Outcome(failure=Failure(cause=answer, kind="expect"))
        fields = answer
    elif "step" in value:
        fields = await step.result(get.text(value, "step"))
    subjects = {k: v for k, v in value.items() if k not in _OWN_KEYS}
    unmet = await step.check(subjects, fields)
    status = fields.get("status")
    # A page of errors may well hold the text: without `status` it must be an answer.
    if (
        "http" in value
        and "status" not in subjects
        and int(str(status)) >= _HTTP_FAILED
    ):
        unmet = (f"status should be below {_HTTP_FAILED}, it is {status}", *unmet)
    if unmet:
        return Outcome(
            fields=fields, failure=Failure(cause="; ".join(unmet), kind="expect")
        )
    return Outcome(fields=fields)


async def _ask(step: StepScope, value: Mapping[str, Bound]) -> dict[str, JSON] | str:
    url = get.text(value, "http")
    answer = await http_get(step, url, get.text_map(value, "headers"))
    if isinstance(answer, NoAnswer):
        return f"no answer from {url}" + (f": {answer.why}" if answer.why else "")
    fields: dict[str, JSON] = {"status": answer.status, "text": answer.body}
    try:
        fields["json"] = json.loads(answer.body)
    except (ValueError, RecursionError):
        return fields
    return fields
