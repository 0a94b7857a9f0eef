"""Files that a runbook keeps: collected before their sandbox ends, failed or not."""

from __future__ import annotations

from sandbook.errors import SandbookError
from sandbook.expressions import evaluate
from sandbook.runbook import Artifact
from sandbook.runner._context import RunContext
from sandbook.runner._sandboxes import Live, Sandboxes
from sandbook.verbs._paths import is_pattern, split_pattern
from sandbook.verbs.fetch import artifact_path, fetch_into


class Artifacts:
    """The artifacts of a run; each sandbox's are collected once."""

    def __init__(self, context: RunContext, sandboxes: Sandboxes) -> None:
        self._context = context
        self._sandboxes = sandboxes
        self._done: set[str] = set()

    async def collect(self) -> None:
        """Collect from every sandbox that was not asked yet."""
        for name in dict.fromkeys(map(self._sandbox_of, self._all())):
            await self.collect_from(name)

    async def collect_from(self, name: str) -> None:
        """Collect from one sandbox; after a green run a missing plain path fails it."""
        if name in self._done:
            return
        self._done.add(name)
        live = self._sandboxes.peek(name)
        for artifact in self._all():
            if self._sandbox_of(artifact) != name:
                continue
            try:
                await self._collect(live, artifact)
            except SandbookError as error:
                self._missing(artifact, str(error))

    def _all(self) -> tuple[Artifact, ...]:
        return self._context.runbook.artifacts

    def _sandbox_of(self, artifact: Artifact) -> str:
        return artifact.sandbox or next(iter(self._context.plan.sandboxes))

    async def _collect(self, live: Live | None, artifact: Artifact) -> None:
        path = str(evaluate(artifact.path, self._context.scope()))
        if live is None:
            self._missing(artifact, "its sandbox was never made")
            return
        fixed = split_pattern(path)[0] if is_pattern(path) else path
        folder = self._context.artifacts
        target = artifact_path(folder, fixed.lstrip("/~"), path)
        if target is None:
            self._missing(artifact, f"{path!r} would leave the artifacts folder")
        elif target.exists() and not is_pattern(path):
            self._missing(artifact, f"there is a {target.name!r} already")
        else:
            moved = await fetch_into(live.sandbox.files, path, target)
            self._context.kept.append(path)
            if not moved.files:
                note = f"{artifact.at}: nothing fits {path!r}"
                self._context.recorder.note("", note)

    def _missing(self, artifact: Artifact, why: str) -> None:
        # Of a run that failed, or that never got there, nothing more is expected.
        if self._context.status == "passed":
            cause = f"{artifact.at}: artifact not collected: {why}"
            self._context.fail("failed", cause)
