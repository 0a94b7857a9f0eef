"""One try of a step: bind, run, judge, tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Literal

import anyio

from sandbook.api import Bound, Failure, Outcome
from sandbook.errors import ConnectionLost, SandbookError, SandboxLost, told
from sandbook.expressions import Scope, evaluate, secrets_in
from sandbook.output import OutputFile
from sandbook.runner._artifacts import Artifacts
from sandbook.runner._background import Backgrounds
from sandbook.runner._context import BookContext, Env
from sandbook.runner._items import Item
from sandbook.runner._judge import judge
from sandbook.runner._live import CannotStart
from sandbook.runner._record import Record
from sandbook.runner._results import StepResult, status_for
from sandbook.runner._sandboxes import Sandboxes
from sandbook.runner._terms import Terms
from sandbook.runner._try import Inner, Try

CANCELLED = StepResult(status="cancelled")
GRACE = 15.0
"""Seconds that a verb with a time limit of its own may take beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What tries work with."""

    context: BookContext
    sandboxes: Sandboxes
    backgrounds: Backgrounds
    artifacts: Artifacts
    record: Record

    def scope_of(self, item: Item) -> tuple[Scope, Env]:
        """What the item's expressions see; the environment of it and the steps around.

        That of the file is not in it.
        """
        around, step = item.around, item.step
        extra = dict(around.extra)
        plan = self.context.plan
        live = self.sandboxes.peek(plan.sandbox_of(step))
        if live:
            extra["sandbox"] = {**live.as_json(), "name": plan.local_name(live.name)}
        known = self.context.scope(
            extra, env=around.env, written=around.written, results=around.results
        )
        own = {name: str(evaluate(value, known)) for name, value in item.env.items()}
        env = {**around.env, **own}
        scope = self.context.scope(
            extra, env=env, written=item.written, results=around.results
        )
        return scope, env


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One try; `result` is what it has come to so far.

    `number` counts the tries of this item, `attempt` those of the whole run.
    """

    parts: Parts
    inner: Inner
    item: Item
    terms: Terms
    number: int
    attempt: int = 0
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
        self.attempt = self.parts.record.next_attempt(self.item)
        output = self._output_file()
        try:
            self._ended(await self._tried(output))
        except SandbookError as error:
            self._ended(self._failed(error))
        except CannotStart as stop:
            # No other try would find one: "lost" is never repeated.
            self._ended(self._failed(stop.error, kind="lost"))
            raise
        finally:
            self._tell(output)
        return self.result

    def _ended(self, result: StepResult) -> None:
        allowed = result.failed and self.terms.allow_failure
        self.result = replace(result, allowed=allowed)
        self.retry_in = self.terms.retry.pause_after(result)

    def _output_file(self) -> OutputFile:
        whole = self.parts.context.whole
        return OutputFile(
            whole.folder.output,
            step=self.item.path,
            attempt=self.attempt,
            masker=whole.masker,
            show=whole.recorder.output,
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
            self.parts.record.started(self.item, self.attempt, self.args)
        self.one = Try(
            context=self.parts.context,
            sandboxes=self.parts.sandboxes,
            backgrounds=self.parts.backgrounds,
            collect=self.parts.artifacts.collect_from,
            inner=self.inner,
            output=output,
            item=self.item,
            key=self.parts.record.key(self.item, self.attempt),
            args=self.args,
            scope=scope,
            secret_args=frozenset(k for k, v in step.args.items() if secrets_in(v)),
            own_env=env,
            cwd=self.item.folder(
                None if cwd is None else str(cwd),
                self.parts.context.plan.sandbox_of(step),
            ),
            timeout=self.terms.timeout,
            limit=self.terms.limit,
            save=self._own_save(),
        )
        verdict = await judge(step, self.one, await self._work(self.one), scope)
        return StepResult(
            status=status_for(verdict.outcome.failure),
            seconds=monotonic() - self.began,
            tries=self.number,
            fields=verdict.outcome.fields,
            values=verdict.values,
            failure=verdict.outcome.failure,
            now=self.one.kept.fields if self.one.kept else None,
        )

    def _own_save(self) -> Mapping[str, str]:
        spec = self.parts.context.verbs[self.item.step.verb].spec
        if not spec.own_save:
            return {}
        return {name: str(code) for name, code in self.item.step.save.items()}

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
        if self.result is CANCELLED:
            took = monotonic() - self.began
            self.result = replace(CANCELLED, seconds=took, tries=self.number)
        found = tuple(self.one.found) if self.one else ()
        self.parts.record.finished(
            self.item,
            self.result,
            attempt=self.attempt,
            artifacts=found,
            retry_in=self.retry_in,
        )
