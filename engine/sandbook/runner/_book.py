"""One runbook from its first step to its last, alone or used by another one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from sandbook.api import JSON, Failure, Outcome
from sandbook.errors import SandbookError, TeardownFailed, told
from sandbook.inputs import resolve_inputs
from sandbook.plan import USE
from sandbook.runbook import Runbook, Step
from sandbook.runner._artifacts import Artifacts
from sandbook.runner._attempt import Parts
from sandbook.runner._background import Backgrounds
from sandbook.runner._context import BookContext
from sandbook.runner._items import Around, Item
from sandbook.runner._live import CannotStart
from sandbook.runner._record import Record
from sandbook.runner._sandboxes import Sandboxes
from sandbook.runner._steps import StepRunner, Stopped, together
from sandbook.runner._terms import run_timeout
from sandbook.runner._try import Try

Guard = Callable[[], AbstractContextManager[None]]


class BookRun:
    """The phases of one runbook: its steps, `finally`, artifacts, teardown.

    `sandboxes` are those of the runbook around it, where it works in one of them.
    """

    def __init__(
        self,
        context: BookContext,
        tasks: TaskGroup,
        *,
        around: Around | None = None,
        sandboxes: Sandboxes | None = None,
    ) -> None:
        self.context = context
        self.sandboxes = sandboxes or Sandboxes(context, tasks)
        self._is_guest = sandboxes is not None
        self._around = around or Around(results=context.results)
        self._backgrounds = Backgrounds(context, tasks)
        self.artifacts = Artifacts(
            context, self.sandboxes, place=self._around.place, cwd=self._around.cwd
        )
        self._runner = StepRunner(
            Parts(
                context=context,
                sandboxes=self.sandboxes,
                backgrounds=self._backgrounds,
                artifacts=self.artifacts,
                record=Record(context),
            ),
            self._use,
        )

    async def work(self) -> None:
        """Run `setup` and `steps`, within the runbook's own time limit."""
        context, book = self.context, self.context.runbook
        try:
            seconds = run_timeout(book.timeout, context.scope())
        except SandbookError as error:
            context.fail("failed", told(error))
            return
        with anyio.move_on_after(seconds) as limit:
            if not await self._failed_in(book.setup):
                await self._failed_in(book.steps)
        if limit.cancelled_caught:
            cause = f"the run's own timeout of {seconds:g} s ended it"
            context.fail("timed_out", cause)

    def conclude(self) -> None:
        """Look at what still runs, and compute the outputs of a runbook that passed."""
        self._backgrounds.check()
        if self.context.status == "passed":
            self.context.compute_outputs()

    async def close(self, guard: Guard = nullcontext) -> None:
        """Run `finally`, collect the artifacts, end what was made; never cancelled.

        Each part runs under the `guard`, whatever becomes of the others.
        """
        with guard():
            await self._do_finally()
        with guard():
            await self.artifacts.collect()
        self.context.whole.kept.extend(self.artifacts.kept)
        await self.tear_down()

    async def _failed_in(self, steps: Sequence[Step]) -> bool:
        failed = await self._runner.run_steps(steps, self._around)
        self._remember(failed)
        return bool(failed)

    def _remember(self, failed: Sequence[Stopped]) -> None:
        for each in failed:
            self.context.failed_at(each.failure)

    async def _do_finally(self) -> None:
        book = self.context.runbook
        if not book.final:
            return
        if not self._around.place:
            self.context.recorder.emit("finally.started")
        try:
            around = replace(self._around, only_made=True)
            self._remember(await self._runner.run_steps(book.final, around, stop=False))
        except CannotStart as stop:
            self.context.fail("failed", str(stop.error))

    async def tear_down(self) -> None:
        """End the background programs and the sandboxes of this runbook."""
        whole = self.context.whole
        with anyio.move_on_after(whole.request.teardown_timeout) as limit:
            if self._is_guest:
                await self._backgrounds.end_all()
            else:
                await self._end_sandboxes()
        if limit.cancelled_caught:
            left = "; ".join(self.sandboxes.remaining())
            whole.not_ended.append(f"teardown was not done in time: {left}")

    async def _end_sandboxes(self) -> None:
        for name in self.sandboxes.names():
            if self.context.request.keep or self.sandboxes.stays(name):
                await self.sandboxes.leave(name)
                continue
            await self._backgrounds.end_in(name)
            try:
                await self.sandboxes.end(name)
            except TeardownFailed as error:
                self.context.whole.not_ended.append(str(error))

    async def _use(
        self, item: Item, around: Around, given: Mapping[str, JSON], one: Try
    ) -> Outcome:
        used = item.step.used
        if used is None:
            return Outcome(failure=Failure(cause="the runbook it uses is not there"))
        context = self._context_of(used, item, around, given, one)
        async with together() as tasks:
            guest = context.plan.shared is not None
            run = BookRun(
                context,
                tasks,
                around=Around(
                    results=context.results,
                    path=around.path,
                    place=around.place,
                    cwd=around.cwd if guest else None,
                    sandbox=around.sandbox,
                ),
                sandboxes=self.sandboxes if guest else None,
            )
            await run.to_the_end()
            tasks.cancel_scope.cancel()
        one.found.extend(run.artifacts.kept)
        return _outcome(context)

    def _context_of(
        self,
        used: Runbook,
        item: Item,
        around: Around,
        given: Mapping[str, JSON],
        one: Try,
    ) -> BookContext:
        whole, plan = self.context.whole, self.context.plan
        place = f"{item.path}.{USE}"
        whole.places[item.path] += 1
        turn = whole.places[item.path]
        context = BookContext(
            whole=whole,
            runbook=used,
            plan=plan.used[item.step.path].placed(
                place if turn == 1 else f"{place}~{turn}", plan.sandbox_of(item.step)
            ),
            inputs=_inputs(used, given, one),
            outer_env=around.env,
        )
        context.open_scope()
        return context

    async def to_the_end(self) -> None:
        """Run all of it where another runbook uses it; what stops it goes on after."""
        try:
            await self.work()
            self.conclude()
        except anyio.get_cancelled_exc_class():
            self.context.fail("cancelled", "it was cancelled")
            raise
        except BaseException:
            self.context.fail("failed")
            raise
        finally:
            with anyio.CancelScope(shield=True):
                await self.close()


def _inputs(used: Runbook, given: Mapping[str, JSON], one: Try) -> Mapping[str, JSON]:
    """The inputs of the used runbook; a file is meant from where it is written."""
    meant: dict[str, JSON | Path] = {}
    for name, value in given.items():
        spec = used.inputs.get(name)
        is_file = spec is not None and spec.type == "file"
        meant[name] = one.local_path(str(value)) if is_file else value
    return resolve_inputs(used, meant, here=one.folder)


def _outcome(context: BookContext) -> Outcome:
    if context.status == "passed":
        return Outcome(fields={"outputs": dict(context.outputs)})
    causes = [context.stopped.cause] if context.stopped else []
    cause = "; ".join([*causes, *context.causes]) or context.status
    if context.status == "timed_out":
        return Outcome(failure=Failure(cause=cause, kind="timeout"))
    known = context.stopped or Failure(cause=cause)
    return Outcome(failure=replace(known, cause=cause))
