"""One try of a step: bind, run, judge, tell."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from time import monotonic
from typing import Literal

import anyio

from sandbook.api import Bound, Failure, Outcome
from sandbook.errors import ConnectionLost, SandbookError, SandboxLost, told
from sandbook.expressions import Scope, evaluate, secrets_in
from sandbook.output import OutputFile
from sandbook.runbook import Retry
from sandbook.runner._artifacts import Artifacts
from sandbook.runner._background import Backgrounds
from sandbook.runner._context import Env, RunContext
from sandbook.runner._judge import judge
from sandbook.runner._record import Item, Record
from sandbook.runner._results import StepResult, status_for
from sandbook.runner._sandboxes import CannotStart, Sandboxes
from sandbook.runner._try import Try

CANCELLED = StepResult(status="cancelled")
GRACE = 15.0
"""Seconds that a verb with a time limit of its own may take beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What tries work with."""

    context: RunContext
    sandboxes: Sandboxes
    backgrounds: Backgrounds
    artifacts: Artifacts
    record: Record

    def scope_of(self, item: Item) -> tuple[Scope, Env]:
        """What the item's expressions see, and its environment."""
        live = self.sandboxes.peek(self.context.plan.sandbox_of(item.step))
        extra = {**item.extra, "sandbox": live.as_json()} if live else item.extra
        return self.context.scope_of(item.step, extra)


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One try; `result` is what it has come to so far."""

    parts: Parts
    item: Item
    number: int
    result: StepResult = CANCELLED
    args: dict[str, Bound] = field(default_factory=dict[str, Bound])
    one: Try | None = None
    retry_in: float | None = None
    began: float = field(default_factory=monotonic)

    async def run(self) -> StepResult:
        """Do it; its events are written whatever happens.

        Raises:
            CannotStart: There is no sandbox for it.
        """
        output = self._output_file()
        try:
            self.result = await self._tried(output)
        except SandbookError as error:
            self.result = self._failed(error)
        except CannotStart as stop:
            # No other try would find one: "lost" is never repeated.
            self.result = self._failed(stop.error, kind="lost")
            raise
        finally:
            self.retry_in = pause_before_next(self.item.step.retry, self.result)
            self._tell(output)
        return self.result

    def _output_file(self) -> OutputFile:
        context = self.parts.context
        return OutputFile(
            context.folder.output,
            step=self.item.path,
            attempt=self.number,
            masker=context.masker,
            show=context.recorder.output,
        )

    async def _tried(self, output: OutputFile) -> StepResult:
        step = self.item.step
        try:
            scope, env = self.parts.scope_of(self.item)
            self.args = {
                key: evaluate(value, scope) for key, value in step.args.items()
            }
            cwd = evaluate(step.cwd, scope)
        finally:
            self.parts.record.started(self.item, self.number, self.args)
        self.one = Try(
            context=self.parts.context,
            sandboxes=self.parts.sandboxes,
            backgrounds=self.parts.backgrounds,
            collect=self.parts.artifacts.collect_from,
            output=output,
            step=step,
            path=self.item.path,
            key=self.parts.record.key(self.item, self.number),
            args=self.args,
            secret_args=frozenset(k for k, v in step.args.items() if secrets_in(v)),
            env=env,
            cwd=None if cwd is None else str(cwd),
        )
        verdict = await judge(step, self.one, await self._work(self.one), scope)
        return StepResult(
            status=status_for(verdict.outcome.failure),
            seconds=monotonic() - self.began,
            tries=self.number,
            fields=verdict.outcome.fields,
            values=verdict.values,
            failure=verdict.outcome.failure,
        )

    async def _work(self, one: Try) -> Outcome:
        verb = self.parts.context.verbs[self.item.step.verb]
        limit = one.timeout
        if limit is not None and verb.spec.own_timeout:
            limit += GRACE
        try:
            with anyio.move_on_after(limit):
                return await verb.run(one)
        except (SandboxLost, ConnectionLost) as error:
            return Outcome(failure=Failure(cause=told(error), kind="lost"))
        cause = f"it was not done after {one.timeout:g} s"
        return Outcome(failure=Failure(cause=cause, kind="timeout"))

    def _failed(
        self, error: SandbookError, kind: Literal["error", "lost"] = "error"
    ) -> StepResult:
        return StepResult(
            status="failed",
            seconds=monotonic() - self.began,
            tries=self.number,
            failure=Failure(cause=told(error), kind=kind),
        )

    def _tell(self, output: OutputFile) -> None:
        # A background program goes on writing there, and tells of it at its end.
        if not self.parts.backgrounds.keeps(output):
            self.parts.record.output(output.close())
        found = tuple(self.one.found) if self.one else ()
        self.parts.record.finished(
            self.item,
            self.result,
            attempt=self.number,
            artifacts=found,
            retry_in=self.retry_in,
        )


def pause_before_next(retry: Retry, result: StepResult) -> float | None:
    """Seconds until the next try; None when this one was the last."""
    failure = result.failure
    if failure is None or result.tries > retry.times or failure.kind not in retry.on:
        return None
    wait = min(retry.wait * retry.backoff ** (result.tries - 1), retry.max_wait)
    return wait * random.uniform(0.5, 1.5) if retry.jitter else wait
