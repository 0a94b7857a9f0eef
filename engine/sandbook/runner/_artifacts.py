"""Files that a runbook keeps: collected at the end, also after a failure."""

from __future__ import annotations

from sandbook.errors import SandbookError
from sandbook.expressions import evaluate
from sandbook.runbook import Artifact
from sandbook.runner._context import RunContext
from sandbook.runner._sandboxes import Sandboxes
from sandbook.verbs._paths import is_pattern, split_pattern
from sandbook.verbs.fetch import artifact_path, fetch_into


async def collect_artifacts(context: RunContext, sandboxes: Sandboxes) -> None:
    """Download each; after a green run a missing plain path fails it."""
    for artifact in context.runbook.artifacts:
        try:
            await _collect(context, sandboxes, artifact)
        except SandbookError as error:
            _missing(context, artifact, str(error))


async def _collect(
    context: RunContext, sandboxes: Sandboxes, artifact: Artifact
) -> None:
    name = artifact.sandbox or next(iter(context.plan.sandboxes))
    live = sandboxes.peek(name)
    if live is None:
        return
    path = str(evaluate(artifact.path, context.scope()))
    fixed = split_pattern(path)[0] if is_pattern(path) else path
    target = artifact_path(context.artifacts, fixed.lstrip("/~"), path)
    if target is None:
        _missing(context, artifact, f"{path!r} would leave the artifacts folder")
        return
    moved = await fetch_into(live.sandbox.files, path, target)
    context.kept.append(path)
    if not moved.files:
        context.recorder.note("", f"{artifact.at}: nothing fits {path!r}")


def _missing(context: RunContext, artifact: Artifact, why: str) -> None:
    context.fail("failed", f"{artifact.at}: artifact not collected: {why}")
