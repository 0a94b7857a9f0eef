"""`parallel`: steps that run at once."""

from __future__ import annotations

from collections.abc import Mapping

from sandbook.api import Capability, Outcome, StepScope, VerbSpec
from sandbook.verbs import _arguments as get
from sandbook.verbs._schemas import BOOLEAN, described

SPEC = VerbSpec(
    name="parallel",
    summary="run steps at once",
    value=described(
        {"type": "array", "x-steps": True, "minItems": 1},
        "Steps that run at once, in the same sandbox unless `in` says otherwise.",
        [{"command": "make lint"}, {"command": "make test"}],
    ),
    keys={
        "fail_fast": described(
            BOOLEAN,
            "Whether the first failure cancels the others.",
            False,
            default=True,
        ),
    },
    nested=("parallel",),
    timeout=None,
    subjects=("file",),
    own_limit=True,
)


class Parallel:
    """The verb."""

    spec = SPEC

    def requires(self, args: Mapping[str, object]) -> frozenset[Capability]:
        """Nothing: its steps say for themselves what they need."""
        del args
        return frozenset()

    async def run(self, step: StepScope) -> Outcome:
        """Run the steps; what failed of them is why this one failed."""
        failure = await step.run_below(
            "parallel",
            limit=step.limit,
            fail_fast=get.flag(step.args, "fail_fast", default=True),
        )
        return Outcome(failure=failure)
