"""Programs that outlive their step: read to the end, and told when they die."""

from __future__ import annotations

from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from sandbook.api import Background, ExecResult
from sandbook.errors import SandbookError
from sandbook.output import OutputFile
from sandbook.runbook import Step
from sandbook.runner._context import BookContext

END_TIMEOUT = 5.0


@dataclass(slots=True, kw_only=True)
class _Running:
    step: Step
    path: str
    sandbox: str
    background: Background
    output: OutputFile
    result: ExecResult | None = None
    wanted_dead: bool = False
    finished: anyio.Event


class Backgrounds:
    """Background programs of a runbook; one ended with another code than 0 fails it."""

    def __init__(self, context: BookContext, tasks: TaskGroup) -> None:
        self._context = context
        self._tasks = tasks
        self._running: list[_Running] = []

    def add(
        self, step: Step, path: str, background: Background, output: OutputFile
    ) -> None:
        """Begin to read it."""
        running = _Running(
            step=step,
            path=path,
            sandbox=self._context.plan.sandbox_of(step),
            background=background,
            output=output,
            finished=anyio.Event(),
        )
        self._running.append(running)
        self._tasks.start_soon(self._follow, running)

    def keeps(self, output: OutputFile) -> bool:
        """Whether a background program still writes there."""
        return any(running.output is output for running in self._running)

    def check(self) -> None:
        """Fail the run for each that has ended with another code than 0."""
        for running in self._running:
            result = running.result
            if result is None or running.wanted_dead or result.code == 0:
                continue
            running.wanted_dead = True
            self._context.fail("failed", _cause(running, result))

    async def end_all(self) -> None:
        """End those that are left, the youngest first."""
        for sandbox in dict.fromkeys(each.sandbox for each in reversed(self._running)):
            await self.end_in(sandbox)

    async def end_in(self, sandbox: str) -> None:
        """End those of one sandbox, the youngest first."""
        self.check()
        for running in reversed(self._running):
            if running.sandbox == sandbox and running.result is None:
                await self._end(running)

    async def _end(self, running: _Running) -> None:
        running.wanted_dead = True
        try:
            with anyio.move_on_after(END_TIMEOUT):
                await running.background.process.signal("TERM")
                await running.finished.wait()
                return
            await running.background.process.signal("KILL")
        except SandbookError:
            # The sandbox it is in ends next; nothing of it survives that.
            return

    async def _follow(self, running: _Running) -> None:
        process = running.background.process
        try:
            async for chunk in process.output():
                running.background.on_chunk(chunk)
            running.result = await process.wait()
            running.background.on_end(running.result)
        except SandbookError as error:
            self._context.recorder.note(running.path, f"no longer followed: {error}")
        finally:
            running.finished.set()
            _close(self._context, running)


def _close(context: BookContext, running: _Running) -> None:
    fields = running.output.close()
    if fields is not None:
        context.recorder.emit("step.output", **fields)


def _cause(running: _Running, result: ExecResult) -> str:
    end = f"code {result.code}" if result.code is not None else result.end
    return (
        f"{running.step.at}: the background command ended by itself with {end} while "
        "the run still needed it"
    )
