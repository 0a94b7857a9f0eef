"""Files that a runbook keeps: collected before their sandbox ends, failed or not."""

from __future__ import annotations

from pathlib import Path

from sandbook.errors import SandbookError
from sandbook.expressions import evaluate
from sandbook.runbook import Artifact
from sandbook.runner._context import BookContext, Owner
from sandbook.runner._live import Live
from sandbook.runner._sandboxes import Sandboxes
from sandbook.verbs._paths import (
    in_folder,
    is_pattern,
    leads_out,
    split_pattern,
)
from sandbook.verbs.fetch import artifact_path, fetch_into, sources


class Artifacts:
    """The artifacts of a runbook; each sandbox's are collected once.

    `place` is the path of the step that uses it, `cwd` where its paths start.
    """

    def __init__(
        self,
        context: BookContext,
        sandboxes: Sandboxes,
        *,
        place: str = "",
        cwd: str | None = None,
    ) -> None:
        self._context = context
        self._sandboxes = sandboxes
        self._place = place
        self._cwd = cwd
        self._turn = context.whole.places[place]
        self._done: set[str] = set()
        self.kept: list[str] = []

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
        return self._context.plan.name_of(artifact.sandbox)

    async def _collect(self, live: Live | None, artifact: Artifact) -> None:
        path = str(evaluate(artifact.path, self._context.scope()))
        if live is None:
            self._missing(artifact, "its sandbox was never made")
            return
        files = live.sandbox.files
        fixed = split_pattern(path)[0] if is_pattern(path) else path
        target = artifact_path(
            self._context.whole.artifacts,
            fixed.lstrip("/~") or ".",
            path,
            naming=self._context.whole.masker.name,
        )
        if target is None:
            self._missing(artifact, f"{path!r} would leave the artifacts folder")
        elif await leads_out(files, in_folder(self._cwd, fixed)):
            self._missing(
                artifact, f"{path!r} is a link that leaves the working folder"
            )
        else:
            await self._take(live, artifact, path, target)

    async def _take(
        self, live: Live, artifact: Artifact, path: str, target: Path
    ) -> None:
        whole = self._context.whole
        where = in_folder(self._cwd, path)
        brought = {
            name: Owner(
                place=self._place, turn=self._turn, source=f"{live.name}:{source}"
            )
            async for source, name in sources(live.sandbox.files, where, target)
        }
        if not brought and is_pattern(path):
            self._note(f"{artifact.at}: nothing fits the artifact pattern {path!r}")
            return
        # Before the download: what runs at the same time asks as well.
        taken = whole.claim(brought, twice=not is_pattern(path))
        if taken is not None:
            self._refuse(artifact, taken)
            return
        moved = await fetch_into(
            live.sandbox.files, where, target, naming=whole.masker.name
        )
        for skipped, reason in moved.skipped:
            self._note(f"{artifact.at}: {skipped} is left out: {reason}")
        self.kept.append(path)

    def _refuse(self, artifact: Artifact, name: Path) -> None:
        shown = name.relative_to(self._context.whole.artifacts.resolve())
        why = f"artifact not collected: there is a {str(shown)!r} already"
        if self._context.status == "passed":
            self._context.fail("failed", f"{artifact.at}: {why}")
        else:
            self._note(f"{artifact.at}: {why}")

    def _missing(self, artifact: Artifact, why: str) -> None:
        # Of a run that failed, or that never got there, nothing more is expected.
        if self._context.status == "passed" and artifact.is_required:
            cause = f"{artifact.at}: artifact not collected: {why}"
            self._context.fail("failed", cause)

    def _note(self, text: str) -> None:
        self._context.recorder.note(self._place, text)
