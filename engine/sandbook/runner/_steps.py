"""The order of steps, their items and tries; results grow as it goes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import TypeAlias, cast

import anyio
from anyio.abc import TaskGroup

from sandbook.api import JSON, Bound, Failure, Outcome
from sandbook.errors import SandbookError, UsageError, told
from sandbook.expressions import evaluate, evaluate_condition
from sandbook.runbook import Step, flat
from sandbook.runner._attempt import CANCELLED, Attempt, Parts
from sandbook.runner._items import Around, Item
from sandbook.runner._live import CannotStart
from sandbook.runner._results import StepResult
from sandbook.runner._terms import limit_of, terms_of
from sandbook.runner._try import Try

UseRunbook: TypeAlias = Callable[
    [Item, Around, Mapping[str, JSON], Try], Awaitable[Outcome]
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A step whose failure counts, by the name that people read."""

    label: str
    result: StepResult

    @property
    def failure(self) -> Failure:
        """Why, with the step that it was."""
        own = self.result.failure or Failure(cause=self.result.status)
        return replace(own, cause=f"{self.label}: {own.cause}", subject=None)


class StepRunner:
    """Runs lists of steps of one runbook; `use` runs another one inside it."""

    def __init__(self, parts: Parts, use: UseRunbook) -> None:
        self._parts = parts
        self._use = use
        self._context = parts.context

    async def run_steps(
        self, steps: Sequence[Step], around: Around, *, stop: bool = True
    ) -> list[Stopped]:
        """Run them from top to bottom; those that failed.

        With `stop` the steps after the first of these do not run.
        """
        failed: list[Stopped] = []
        for step in steps:
            failed += await self._run(step, around)
            if failed and stop:
                break
        return failed

    async def run_below(
        self, key: str, item: Item, around: Around, *, limit: int | None, stop: bool
    ) -> Failure | None:
        """Run the steps under a key of this step; why they count as failed."""
        steps = item.step.children.get(key, ())
        if limit == 1:
            failed = await self.run_steps(steps, around, stop=stop)
        else:
            failed = await self._at_once(steps, around, limit=limit, stop=stop)
        return _failure_of(failed, len(steps))

    async def run_used(
        self, item: Item, around: Around, given: Mapping[str, JSON], one: Try
    ) -> Outcome:
        """Run the runbook that this step uses."""
        return await self._use(item, around, given, one)

    async def _at_once(
        self, steps: Sequence[Step], around: Around, *, limit: int | None, stop: bool
    ) -> list[Stopped]:
        failed: list[Stopped] = []
        waiting = {step.path: Item.of(step, around) for step in steps}
        limiter = anyio.Semaphore(limit or max(1, len(steps)))
        async with together() as group:

            async def run_one(step: Step) -> None:
                async with limiter:
                    waiting.pop(step.path)
                    mine = await self._run(step, around)
                    failed.extend(mine)
                    if mine and stop:
                        # A sandbox that is just being made would be lost.
                        await self._parts.sandboxes.settled()
                        group.cancel_scope.cancel()

            for step in steps:
                group.start_soon(run_one, step)
        for item in waiting.values():
            reason = "another step failed before it began"
            self._keep(item, self._without_try(item, replace(CANCELLED, reason=reason)))
        return failed

    async def _run(self, step: Step, around: Around) -> list[Stopped]:
        item = Item.of(step, around)
        if around.only_made and self._needs_missing_sandbox(step):
            self._keep(item, self._skip(item, "its sandbox was never made"))
            return []
        # What it is while nothing else is known: a cancelled step has a result too.
        self._keep(item, CANCELLED)
        result = await (self._loop(item) if step.is_loop else self._once(item))
        self._keep(item, result)
        if not result.stops:
            return []
        return [Stopped(label=self._parts.record.label(item), result=result)]

    def _keep(self, item: Item, result: StepResult) -> None:
        if item.step.id is not None:
            item.around.results[item.step.id] = result

    def _needs_missing_sandbox(self, step: Step) -> bool:
        name = self._context.plan.sandbox_of(step)
        made = self._parts.sandboxes.peek(name) is not None
        return not made and (self._needs_sandbox(step) or self._is_guest(step))

    def _needs_sandbox(self, step: Step) -> bool:
        return bool(self._context.verbs[step.verb].requires(step.args))

    def _is_guest(self, step: Step) -> bool:
        """Whether it uses a runbook that needs the sandbox of this step."""
        used = step.used
        if used is None or used.has_own_sandbox:
            return False
        steps = flat((*used.setup, *used.steps, *used.final))
        return any(self._needs_sandbox(one) or self._is_guest(one) for one in steps)

    def _skip(self, item: Item, reason: str) -> StepResult:
        return self._without_try(item, StepResult(status="skipped", reason=reason))

    def _not_begun(self, item: Item, error: SandbookError) -> StepResult:
        failure = Failure(cause=told(error))
        allowed = item.step.allow_failure is True
        result = StepResult(status="failed", failure=failure, allowed=allowed)
        return self._without_try(item, result)

    def _without_try(self, item: Item, result: StepResult) -> StepResult:
        number = self._parts.record.next_attempt(item)
        self._parts.record.finished(item, result, attempt=number)
        return result

    async def _loop(self, whole: Item) -> StepResult:
        began = monotonic()
        try:
            scope, _ = self._parts.scope_of(whole)
            values = _items(evaluate(whole.step.for_each, scope))
            spec = self._context.verbs[whole.step.verb].spec
            limit = 1 if spec.own_limit else limit_of(whole.step, scope)
        except SandbookError as error:
            return self._not_begun(whole, error)
        if not values:
            return self._skip(whole, "there is nothing to repeat it for")
        number = self._parts.record.next_attempt(whole)
        self._parts.record.started(whole, number, {})
        result = replace(CANCELLED, each=())
        try:
            results = await self._each(whole, values, limit)
            result = _of_items(results, monotonic() - began)
        finally:
            self._parts.record.finished(whole, result, attempt=number)
        return result

    async def _each(
        self, whole: Item, values: Sequence[JSON], limit: int
    ) -> Sequence[StepResult | None]:
        """Their results in order; the first whose failure counts stops the rest."""
        results: list[StepResult | None] = [None] * len(values)
        limiter = anyio.Semaphore(limit)
        async with together() as group:

            async def run_item(index: int) -> None:
                item = whole.each(index, values[index])
                async with limiter:
                    results[index] = result = await self._once(item)
                    if result.stops:
                        await self._parts.sandboxes.settled()
                        group.cancel_scope.cancel()

            for index in range(len(values)):
                group.start_soon(run_item, index)
        return results

    async def _once(self, item: Item) -> StepResult:
        """One item (or the step itself): its condition, then its tries."""
        try:
            scope, _ = self._parts.scope_of(item)
            if not evaluate_condition(item.step.condition, scope):
                return self._skip(item, "its `if` is false")
            terms = terms_of(item.step, scope)
        except SandbookError as error:
            return self._not_begun(item, error)
        number = 1
        while True:
            attempt = Attempt(
                parts=self._parts, inner=self, item=item, terms=terms, number=number
            )
            result = await attempt.run()
            if attempt.retry_in is None:
                return result
            await anyio.sleep(attempt.retry_in)
            number += 1


@asynccontextmanager
async def together() -> AsyncGenerator[TaskGroup]:
    """A task group that raises what went wrong in it as it is, not in a group.

    Of several errors a fault counts before a sandbox that could not be made.
    """
    try:
        async with anyio.create_task_group() as tasks:
            yield tasks
    except ExceptionGroup as group:
        found = leaves(group)
        faults = [error for error in found if not isinstance(error, CannotStart)]
        raise (faults or found)[0] from None


def leaves(error: BaseException) -> list[BaseException]:
    """The errors inside groups of errors."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    inner = cast("BaseExceptionGroup[BaseException]", error).exceptions
    return [leaf for each in inner for leaf in leaves(each)]


def _failure_of(failed: Sequence[Stopped], count: int) -> Failure | None:
    """The first failure with its step's name; how many failed, if more did."""
    if not failed:
        return None
    first = failed[0].failure
    if len(failed) == 1:
        return first
    others = "; ".join(each.failure.cause for each in failed)
    return replace(first, cause=f"{len(failed)} of {count} steps failed: {others}")


def _items(value: Bound) -> list[JSON]:
    if isinstance(value, Mapping):
        return [{"key": key, "value": item} for key, item in value.items()]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return list(value)
    raise UsageError(
        "`for_each` needs a list or a map",
        remedy="use `| split(',')` to make a list of a text",
    )


def _of_items(results: Sequence[StepResult | None], seconds: float) -> StepResult:
    done = tuple(result for result in results if result is not None)
    bad = [result for result in done if result.failed]
    # Neither an item that the first failure cancelled nor one that may fail is why.
    bad.sort(key=lambda result: (result.allowed, result.status == "cancelled"))
    worst = bad[0] if bad else None
    all_skipped = all(result.status == "skipped" for result in done)
    return StepResult(
        status=worst.status if worst else ("skipped" if all_skipped else "passed"),
        seconds=seconds,
        tries=max((result.tries for result in done), default=0),
        each=done,
        failure=worst.failure if worst else None,
        allowed=worst is not None and worst.allowed,
    )
