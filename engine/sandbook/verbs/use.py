"""`use`: run another runbook as one step."""

from __future__ import annotations

from collections.abc import Mapping

from sandbook.api import (
    JSON,
    Bound,
    BoundShell,
    Capability,
    Outcome,
    StepScope,
    VerbSpec,
)
from sandbook.verbs import _arguments as get
from sandbook.verbs._schemas import TEXT, described, only

SPEC = VerbSpec(
    name="use",
    summary="run another runbook as one step",
    value=described(
        only(TEXT),
        "The path of another runbook, relative to this one and inside the project.",
        "lib/login.yaml",
    ),
    keys={
        "with": described(
            {
                "type": "object",
                "additionalProperties": {"x-kind": "free"},
                "x-names": True,
                "x-static": True,
            },
            "The inputs of that runbook.",
            {"user": "ada", "tries": 3},
        ),
    },
    fields={"outputs": "its `outputs`, by name"},
    timeout=None,
    subjects=("file",),
)


class Use:
    """The verb."""

    spec = SPEC

    def requires(self, args: Mapping[str, object]) -> frozenset[Capability]:
        """Nothing: the steps of that runbook say what they need."""
        del args
        return frozenset()

    async def run(self, step: StepScope) -> Outcome:
        """Run it to its end."""
        value = step.args.get("with")
        given: Mapping[str, Bound] = {}
        if value is not None:
            given = get.mapping(value, "with")
        return await step.use({name: _plain(each) for name, each in given.items()})


def _plain(value: Bound) -> JSON:
    return value.text if isinstance(value, BoundShell) else value
