"""One try of a step, as its verb sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Literal

from sandbook.api import (
    JSON,
    Arguments,
    Background,
    Bound,
    Files,
    Sandbox,
    StreamName,
)
from sandbook.errors import UsageError
from sandbook.expectations import unmet
from sandbook.output import OutputFile
from sandbook.runbook import Step
from sandbook.runner._background import Backgrounds
from sandbook.runner._context import RunContext
from sandbook.runner._sandboxes import Live, Sandboxes


class Try:
    """Implements `sandbook.api.StepScope`."""

    def __init__(  # noqa: PLR0913 (this is where the parts meet)
        self,
        *,
        context: RunContext,
        sandboxes: Sandboxes,
        backgrounds: Backgrounds,
        collect: Callable[[str], Awaitable[None]],
        output: OutputFile,
        step: Step,
        path: str,
        key: str,
        args: Arguments,
        secret_args: frozenset[str],
        env: Mapping[str, str],
        cwd: str | None,
    ) -> None:
        self._context = context
        self._sandboxes = sandboxes
        self._backgrounds = backgrounds
        self._collect = collect
        self._output = output
        self._step = step
        self._path = path
        self.key = key
        self.args = args
        self.secret_args = secret_args
        self.env = env
        self.cwd = cwd
        self.timeout = step.timeout
        self.folder = context.runbook.folder
        self.project = context.runbook.project
        self.artifacts = context.artifacts
        self.found: list[str] = []

    @property
    def live_name(self) -> str:
        """The name of the sandbox this step works in."""
        return self._context.plan.sandbox_of(self._step)

    async def sandbox(self) -> Sandbox:
        """The sandbox of this step, made now if it is the first that needs it."""
        live = await self._sandboxes.get(self.live_name)
        # The step's own environment lies over the sandbox's, that over the file's.
        self.env = {**self._context.env, **live.env, **self._own_env()}
        return live.sandbox

    def _own_env(self) -> Mapping[str, str]:
        return {k: v for k, v in self.env.items() if k in self._step.env}

    def show(self, stream: StreamName, data: bytes) -> None:
        """Hand on output as it comes; it is masked before anybody sees it."""
        self._output.show(stream, data)

    def note(self, text: str) -> None:
        """Say something to the person who watches."""
        self._context.recorder.note(self._path, text)

    def attached(self, kind: Literal["process", "pty", "code"], id: str) -> None:
        """Record what a resumed run would join again."""
        self._context.recorder.emit(
            "step.attached", step=self._path, key=self.key, kind=kind, id=id
        )

    async def result(self, step_id: str) -> Mapping[str, JSON]:
        """The result of a step above; of a background command as it is now."""
        now = self._backgrounds.fields_of(step_id)
        if now is not None:
            return now
        if step_id not in self._context.results:
            raise UsageError(f"no step {step_id!r} has run before this one")
        return self._context.results[step_id].as_json()

    async def check(
        self, subjects: Mapping[str, Bound], fields: Mapping[str, JSON]
    ) -> tuple[str, ...]:
        """What does not hold of these expectations, in words."""
        files: Files | None = None
        if "file" in subjects:
            files = (await self.sandbox()).files
        return await unmet(subjects, fields, files)

    def keep_running(self, background: Background) -> None:
        """Let a background program outlive the step; the run ends it."""
        self._backgrounds.add(self._step, self._path, background, self._output)

    async def create_sandbox(self, options: Arguments) -> Mapping[str, JSON]:
        """Make the sandbox this step describes."""
        live: Live = await self._sandboxes.create(options)
        return {**live.as_json(), "reused": live.reused}

    async def teardown(self, name: str | None) -> None:
        """Collect the sandbox's artifacts and end it."""
        chosen = name or next(iter(self._context.plan.sandboxes))
        await self._collect(chosen)
        await self._backgrounds.end_in(chosen)
        await self._sandboxes.end(chosen)

    def local_path(self, written: str) -> Path:
        """A path of this computer as the author means it; refused outside `project`."""
        path = (self.folder / written).resolve()
        given = {str(v) for v in self._context.request.inputs.values()}
        inside = path.is_relative_to(self.project.resolve())
        ours = path.is_relative_to(self.artifacts.resolve())
        if inside or ours or written in given:
            return path
        raise UsageError(
            f"{written!r} is outside the project ({self.project})",
            remedy="move the file into the project, or make it an input of type file",
        )

    def artifact(self, path: Path) -> None:
        """Record a file below `artifacts` as a result of this step."""
        self.found.append(str(path.relative_to(self.artifacts)))
