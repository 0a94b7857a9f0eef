"""One try of a step, as its verb sees it."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol

from sandbook.api import (
    JSON,
    Arguments,
    Background,
    Bound,
    Code,
    CodeContext,
    Failure,
    Files,
    Outcome,
    Recording,
    Sandbox,
    StreamName,
)
from sandbook.errors import UsageError
from sandbook.expectations import unmet
from sandbook.expressions import Scope, why_false
from sandbook.local_paths import real_path
from sandbook.output import OutputFile, recording_name
from sandbook.plan import MAIN
from sandbook.runbook import Step
from sandbook.runner._background import Backgrounds
from sandbook.runner._context import BookContext, Env, Owner
from sandbook.runner._items import Around, Item
from sandbook.runner._live import Live
from sandbook.runner._sandboxes import Sandboxes


class Inner(Protocol):
    """Runs what a step holds: the steps below its keys, or another runbook."""

    async def run_below(
        self, key: str, item: Item, around: Around, *, limit: int | None, stop: bool
    ) -> Failure | None:
        """Run the steps under a key of this step; why they count as failed."""
        ...

    async def run_used(
        self, item: Item, around: Around, given: Mapping[str, JSON], one: Try
    ) -> Outcome:
        """Run the runbook that this step uses, with inputs as they were written."""
        ...


class Try:
    """Implements `sandbook.api.StepScope`."""

    def __init__(  # noqa: PLR0913 (this is where the parts meet)
        self,
        *,
        context: BookContext,
        sandboxes: Sandboxes,
        backgrounds: Backgrounds,
        collect: Callable[[str], Awaitable[None]],
        inner: Inner,
        output: OutputFile,
        item: Item,
        key: str,
        args: Arguments,
        scope: Scope,
        secret_args: frozenset[str],
        own_env: Env,
        cwd: str | None,
        timeout: float | None,
        limit: int | None,
        save: Mapping[str, str],
    ) -> None:
        self._context = context
        self._sandboxes = sandboxes
        self._backgrounds = backgrounds
        self._collect = collect
        self._inner = inner
        self._output = output
        self._item = item
        self._own_env = own_env
        self.key = key
        self.args = args
        self.secret_args = secret_args
        self._scope = scope
        self.env: Env = {**context.env, **own_env}
        self.cwd = cwd
        self.timeout = timeout
        self.limit = limit
        self.save = save
        self.update_snapshots = context.request.update_snapshots
        self.file = context.runbook.path
        self.folder = context.runbook.folder
        self.project = context.runbook.project
        self.artifacts = context.whole.artifacts
        self.found: list[str] = []
        self.kept: Background | None = None

    @property
    def _step(self) -> Step:
        return self._item.step

    async def sandbox(self) -> Sandbox:
        """The sandbox of this step, made now if it is the first that needs it."""
        return (await self._live()).sandbox

    async def _live(self) -> Live:
        live = await self._sandboxes.get(
            self._context.plan.sandbox_of(self._step), self
        )
        self.env = {**self._context.env_with(live.env), **self._own_env}
        return live

    @asynccontextmanager
    async def code(self, language: str, context: str) -> AsyncGenerator[Code]:
        """The interpreter with these variables, for this step alone."""
        live = await self._live()
        # The variables of `setup` do not last: what it leaves may come from a store.
        in_setup = any(p.startswith("setup[") for p in self._item.path.split("."))
        wanted = CodeContext(
            language=language,
            name=f"setup-{context}" if in_setup else context,
            cwd=self.cwd,
            env=self.env,
        )
        async with self._sandboxes.interpreters.use(live.sandbox, wanted) as code:
            yield code

    async def run_below(
        self, key: str, *, limit: int | None = 1, fail_fast: bool = True
    ) -> Failure | None:
        """Run the steps under `key`; why they count as failed, None = they passed."""
        return await self._inner.run_below(
            key, self._item, self._around(), limit=limit, stop=fail_fast
        )

    async def use(self, inputs: Mapping[str, JSON]) -> Outcome:
        """Run the runbook of this step to its end, with these inputs."""
        return await self._inner.run_used(self._item, self._around(), inputs, self)

    def _around(self) -> Around:
        name = self._context.plan.sandbox_of(self._step)
        return self._item.inside(env=self._own_env, cwd=self.cwd, sandbox=name)

    def show(self, stream: StreamName, data: bytes) -> None:
        """Hand on output as it comes; it is masked before anybody sees it."""
        self._output.show(stream, data)

    def note(self, text: str) -> None:
        """Say something to the person who watches, and to the report."""
        self._context.recorder.note(self._item.path, text)

    def attached(self, kind: Literal["process", "pty", "code"], id: str) -> None:
        """Record what a resumed run would join again."""
        self._context.recorder.emit(
            "step.attached", step=self._item.path, key=self.key, kind=kind, id=id
        )

    async def result(self, step_id: str) -> Mapping[str, JSON]:
        """The result of a step above; of a background command as it is now."""
        result = self._item.around.results.get(step_id)
        if result is None:
            raise UsageError(f"no step {step_id!r} has run before this one")
        fields = result.as_json()
        return {**fields, **result.now()} if result.now else fields

    async def check(
        self, subjects: Mapping[str, Bound], fields: Mapping[str, JSON]
    ) -> tuple[str, ...]:
        """What does not hold of these expectations, in words."""
        files: Files | None = None
        if "file" in subjects:
            files = (await self.sandbox()).files
        return await unmet(subjects, fields, files, cwd=self.cwd)

    def why_false(self, key: str) -> str:
        """The values that made the condition under `key` false, in words."""
        return why_false(self._step.args[key], self._scope)

    def keep_running(self, background: Background) -> None:
        """Let a background program outlive the step; the run ends it."""
        self.kept = background
        self._backgrounds.add(self._step, self._item.path, background, self._output)

    async def create_sandbox(self, options: Arguments) -> Mapping[str, JSON]:
        """Make the sandbox this step describes."""
        local = str(options.get("as") or MAIN)
        name = self._context.plan.name_of(local)
        if self._sandboxes.peek(name) is not None:
            # An earlier try of the step around this one made it; nobody uses it now.
            await self._end(name)
        live = await self._sandboxes.create({**options, "as": name}, self)
        return {**live.as_json(), "name": local, "reused": live.reused}

    async def teardown(self, name: str | None) -> None:
        """Collect the sandbox's artifacts and end it."""
        chosen = self._context.plan.name_of(name)
        await self._collect(chosen)
        await self._end(chosen)

    async def _end(self, name: str) -> None:
        await self._backgrounds.end_in(name)
        await self._sandboxes.end(name)

    def local_path(self, written: str) -> Path:
        """A path of this computer as the author means it; refused outside `project`."""
        path = real_path(self.folder / written)
        declared = self._context.runbook.inputs
        given = {
            str(value)
            for name, value in self._context.inputs.items()
            if name in declared and declared[name].type == "file"
        }
        inside = path.is_relative_to(real_path(self.project))
        ours = path.is_relative_to(real_path(self.artifacts))
        if inside or ours or written in given:
            return path
        raise UsageError(
            f"{written!r} is outside the project ({self.project})",
            remedy="move the file into the project, or make it an input of type file",
        )

    def file_name(self, name: str) -> str:
        """The name that a file of the sandbox gets on this computer: no secrets."""
        return self._context.whole.masker.name(name)

    def masked(self, text: str) -> str:
        """A text without secrets, for what is stored elsewhere or cut in pieces."""
        return self._context.whole.masker.text(text)

    def place_of(self, where: str) -> str:
        """The file and line of a map in a value of this step."""
        at = self._step.places.get(where, self._step.at)
        return f"{at.path}:{at.line}"

    def record(self, *, cols: int, rows: int, term: str, command: str) -> Recording:
        """Begin the recording of a terminal; its file is a result of this step."""
        # Only steps with a terminal need it.
        from sandbook.recording import Recorder

        masker = self._context.whole.masker
        attempt = self.key.rpartition("/")[2]
        name = recording_name(self._item.path, int(attempt))
        path = self.artifacts / "recordings" / masker.name(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.artifact(path)
        return Recorder(
            path, cols=cols, rows=rows, term=term, masker=masker, command=command
        )

    def claim(self, files: Mapping[Path, str]) -> str | None:
        """Take these names of the artifacts folder; the first that another has."""
        box = self._context.plan.sandbox_of(self._step)
        whole = self._context.whole
        mine = Owner(
            place=self._item.path,
            turn=whole.tries[self._item.path],
            source=box,
            is_fetched=True,
        )
        taken = whole.claim(
            {n: replace(mine, source=f"{box}:{s}") for n, s in files.items()}
        )
        if taken is None:
            return None
        return str(taken.relative_to(self.artifacts.resolve()))

    def artifact(self, path: Path) -> None:
        """Record a file below `artifacts` as a result of this step."""
        self.found.append(str(path.relative_to(self.artifacts)))

    def keep_result(self, name: str, data: bytes) -> Path:
        """Store bytes in the folder of this step below `artifacts`, masked."""
        masked = self._context.whole.masker.stream()
        path = self.artifacts / _folder_of(self._item) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(masked.feed(data) + masked.flush())
        self.artifact(path)
        return path

    def place(self, line: int) -> str:
        """`file:line` of a line of the verb's own text; empty where it has no lines."""
        first = self._step.lines
        return "" if first is None else f"{first.path}:{first.line + line - 1}"


def _folder_of(item: Item) -> str:
    """A name that no other step has: the id, with the path where that is not enough."""
    own = item.step.id
    if own is not None and item.path == item.step.path and ".use." not in item.path:
        return own
    flat = re.sub(r"[^\w.-]+", "-", item.path.replace("]", ""))
    return f"{own}.{flat}" if own else flat
