"""`check`: something must hold."""

from __future__ import annotations

import json
from collections.abc import Mapping

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
from sandbook.verbs import _arguments as get
from sandbook.verbs._probes import http_get
from sandbook.verbs._schemas import DURATION, NAME, TEXT, TEXT_MAP, any_of, described

PAUSE = 0.2
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

SPEC = VerbSpec(
    name="check",
    summary="fail unless something holds",
    value=any_of(
        described(
            {"type": "string", "x-kind": "expression"},
            "an expression that must be true",
            "steps.build.exit == 0",
        ),
        {
            "type": "object",
            # The schema module adds the matchers of these subjects.
            "x-subjects": list(SUBJECTS),
            "properties": {
                "http": described(TEXT, "a URL, asked from inside the sandbox"),
                "headers": described(TEXT_MAP, "headers of the request"),
                "step": described(NAME, "id of a step above: its result"),
                "within": described(DURATION, "try again until it holds"),
            },
            "additionalProperties": False,
            "minProperties": 1,
        },
    ),
    fields={"status": "HTTP status", "text": "body or text", "json": "parsed"},
    refuses=("expect", "save"),
    repeatable=True,
)

_OWN_KEYS = frozenset({"http", "headers", "step", "within"})


class Check:
    """The verb."""

    spec = SPEC

    def requires(self, args: Mapping[str, object]) -> frozenset[Capability]:
        """`exec` to ask a URL, `files` to look at a file, else no sandbox at all."""
        value = args.get("check")
        if not isinstance(value, Mapping):
            return frozenset()
        needs = {"http": "exec", "file": "files"}
        return frozenset(need for key, need in needs.items() if key in value)

    async def run(self, step: StepScope) -> Outcome:
        """Look once, or until it holds."""
        value = step.args["check"]
        if isinstance(value, Mapping):
            return await self._subjects(step, value)
        if value is True:
            return Outcome()
        said = "it is false" if value is False else f"it is {get.kind_of(value)}"
        return Outcome(failure=Failure(cause=f"the check does not hold: {said}"))

    async def _subjects(self, step: StepScope, value: Mapping[str, Bound]) -> Outcome:
        outcome = await _look(step, value)
        within = get.number(value, "within", 0.0)
        with anyio.move_on_after(within):
            while outcome.failure is not None and within:
                await anyio.sleep(PAUSE)
                outcome = await _look(step, value)
        return outcome


async def _look(step: StepScope, value: Mapping[str, Bound]) -> Outcome:
    fields: Mapping[str, JSON] = {}
    if "http" in value:
        answer = await _ask(step, value)
        if answer is None:
            cause = f"no answer from {get.text(value, 'http')}"
            return Outcome(failure=Failure(cause=cause, kind="expect"))
        fields = answer
    elif "step" in value:
        fields = await step.result(get.text(value, "step"))
    subjects = {k: v for k, v in value.items() if k not in _OWN_KEYS}
    unmet = await step.check(subjects, fields)
    if unmet:
        return Outcome(
            fields=fields, failure=Failure(cause="; ".join(unmet), kind="expect")
        )
    return Outcome(fields=fields)


async def _ask(step: StepScope, value: Mapping[str, Bound]) -> dict[str, JSON] | None:
    answer = await http_get(
        step, get.text(value, "http"), get.text_map(value, "headers")
    )
    if answer is None:
        return None
    fields: dict[str, JSON] = {"status": answer.status, "text": answer.body}
    try:
        fields["json"] = json.loads(answer.body)
    except ValueError:
        return fields
    return fields
