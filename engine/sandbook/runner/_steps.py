"""The order of steps, their items and tries; results grow as it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import monotonic

import anyio

from sandbook.api import JSON, Bound, Failure
from sandbook.errors import SandbookError, UsageError, told
from sandbook.expressions import evaluate, evaluate_condition
from sandbook.runbook import Step
from sandbook.runner._attempt import Attempt, Parts
from sandbook.runner._record import Item
from sandbook.runner._results import StepResult


class StepRunner:
    """Runs lists of steps."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._context = parts.context

    async def run_steps(self, steps: Sequence[Step]) -> bool:
        """Run them from top to bottom; False = one failed, the rest did not run."""
        for step in steps:
            result = await self.run_step(step)
            if result.stops:
                return False
        return True

    async def run_every(self, steps: Sequence[Step]) -> None:
        """Run them all, also after one of them has failed."""
        for step in steps:
            if self._needs_missing_sandbox(step):
                item = Item(step=step, path=step.path)
                self._keep(step, self._skip(item, "its sandbox was never made"))
            else:
                await self.run_step(step)

    async def run_step(self, step: Step) -> StepResult:
        """Run one step with all its items and tries, and keep its result."""
        item = Item(step=step, path=step.path)
        result = await (self._loop(item) if step.is_loop else self._once(item))
        if step.allow_failure and result.stops:
            result = replace(result, allowed=True)
        self._keep(step, result)
        return result

    def _keep(self, step: Step, result: StepResult) -> None:
        if step.id is not None:
            self._context.results[step.id] = result
        if result.stops:
            self._context.fail("failed")

    def _needs_missing_sandbox(self, step: Step) -> bool:
        if not self._context.verbs[step.verb].requires(step.args):
            return False
        name = self._context.plan.sandbox_of(step)
        return self._parts.sandboxes.peek(name) is None

    def _skip(self, item: Item, reason: str) -> StepResult:
        return self._without_try(item, StepResult(status="skipped", reason=reason))

    def _not_begun(self, item: Item, error: SandbookError) -> StepResult:
        failure = Failure(cause=told(error))
        return self._without_try(item, StepResult(status="failed", failure=failure))

    def _without_try(self, item: Item, result: StepResult) -> StepResult:
        self._parts.record.finished(item, result, attempt=1)
        return result

    async def _loop(self, whole: Item) -> StepResult:
        began = monotonic()
        try:
            scope, _ = self._parts.scope_of(whole)
            values = _items(evaluate(whole.step.for_each, scope))
        except SandbookError as error:
            return self._not_begun(whole, error)
        if not values:
            return self._skip(whole, "there is nothing to repeat it for")
        self._parts.record.started(whole, 1, {})
        results = await self._each(whole, values)
        result = _of_items(results, monotonic() - began)
        self._parts.record.finished(whole, result, attempt=1)
        return result

    async def _each(
        self, whole: Item, values: Sequence[JSON]
    ) -> Sequence[StepResult | None]:
        """Their results in order; the first that fails stops the rest."""
        results: list[StepResult | None] = [None] * len(values)
        limiter = anyio.Semaphore(whole.step.limit or 1)
        async with anyio.create_task_group() as group:

            async def run_item(index: int) -> None:
                path = f"{whole.path}.each[{index}]"
                item = Item(step=whole.step, path=path, extra={"item": values[index]})
                async with limiter:
                    results[index] = result = await self._once(item)
                    if result.stops:
                        group.cancel_scope.cancel()

            for index in range(len(values)):
                group.start_soon(run_item, index)
        return results

    async def _once(self, item: Item) -> StepResult:
        """One item (or the step itself): its condition, then its tries."""
        try:
            scope, _ = self._parts.scope_of(item)
            wanted = evaluate_condition(item.step.condition, scope)
        except SandbookError as error:
            return self._not_begun(item, error)
        if not wanted:
            return self._skip(item, "its `if` is false")
        number = 1
        while True:
            attempt = Attempt(parts=self._parts, item=item, number=number)
            result = await attempt.run()
            if attempt.retry_in is None:
                return result
            await anyio.sleep(attempt.retry_in)
            number += 1


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
    bad = [result for result in done if result.stops]
    # An item that the first failure cancelled is not the reason.
    worst = next((r for r in bad if r.status != "cancelled"), bad[0] if bad else None)
    all_skipped = all(result.status == "skipped" for result in done)
    return StepResult(
        status=worst.status if worst else ("skipped" if all_skipped else "passed"),
        seconds=seconds,
        tries=max((result.tries for result in done), default=0),
        each=done,
        failure=worst.failure if worst else None,
    )
