"""`run_code`: run code in an interpreter that keeps its variables."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from math import inf
from time import monotonic

import anyio

from sandbook.api import (
    JSON,
    Bound,
    BoundShell,
    Capability,
    CodeRequest,
    Failure,
    Outcome,
    StepScope,
    VerbSpec,
)
from sandbook.verbs import _arguments as get
from sandbook.verbs._cell import Cell
from sandbook.verbs._schemas import NAME, described, only

PYTHON, MAIN = "python", "main"

SPEC = VerbSpec(
    name="run_code",
    summary="run code in an interpreter that keeps its variables",
    value=described(
        {"type": "string", "x-kind": "code"},
        "Code, as it is; a value comes in by `with`, never by an expression.",
        "print(sum(numbers))",
        title="Code",
    ),
    keys={
        "language": described(
            only(NAME),
            "The language: `python`, `bash`, `javascript`, or another one of the "
            "provider.",
            "javascript",
            default=PYTHON,
        ),
        "context": described(
            only(NAME),
            "Which set of variables; one for each sandbox, language and name.",
            "analysis",
            default=MAIN,
        ),
        "with": described(
            {
                "type": "object",
                "additionalProperties": {"x-kind": "free"},
                "x-names": True,
                "x-static": True,
            },
            "Values that become variables, and stay.",
            {"numbers": [1, 2, 3], "who": "${{ inputs.who }}"},
            title="Variables",
        ),
    },
    fields={
        "text": "the last value as the interpreter shows it",
        "stdout": "what it wrote to stdout",
        "stderr": "what it wrote to stderr",
        "output": "both, as they came",
        "json": "the last value as JSON, missing if it has no such form",
        "results": "what it showed: a list of `type` and `path`, files",
        "error": "the exception: `name`, `message`, `traceback`",
    },
    subjects=("error", "stdout", "stderr", "output", "text", "json", "values", "file"),
    own_timeout=True,
    own_save=True,
)


class RunCode:
    """The verb."""

    spec = SPEC

    def requires(self, args: Mapping[str, object]) -> frozenset[Capability]:
        """Cells of this language."""
        return frozenset({f"code.{self.interpreter(args)[0]}"})

    def interpreter(self, args: Mapping[str, object]) -> tuple[str, str]:
        """The language and the context."""
        language, context = args.get("language"), args.get("context")
        return str(language or PYTHON), str(context or MAIN)

    async def run(self, step: StepScope) -> Outcome:
        """Run one cell; its time begins when the step does."""
        language, context = self.interpreter(step.args)
        ends, code = monotonic() + (step.timeout or inf), None
        async with AsyncExitStack() as stack:
            with anyio.move_on_after(step.timeout):
                code = await stack.enter_async_context(step.code(language, context))
            if code is None:
                cause = f"the interpreter was not ready and free in {step.timeout:g} s"
                return Outcome(failure=Failure(cause=cause, kind="timeout"))
            step.attached("code", code.id)
            cell = Cell(step)
            async for event in code.run(_request(step, ends)):
                cell.take(event)
            if cell.is_lost:
                # What comes next in this context begins afresh, and can.
                await code.restart()
            return cell.outcome(context)


def _request(step: StepScope, ends: float) -> CodeRequest:
    return CodeRequest(
        key=step.key,
        source=get.text(step.args, "run_code"),
        bind=_variables(step.args.get("with")),
        read=step.save,
        timeout=None if step.timeout is None else max(0.0, ends - monotonic()),
    )


def _variables(given: Bound) -> Mapping[str, JSON]:
    if not isinstance(given, Mapping) or isinstance(given, BoundShell):
        return {}
    return dict(given)
