"""`fetch`: bring files of the sandbox into the artifacts folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from sandbook.api import (
    Capability,
    Failure,
    Files,
    Outcome,
    StepScope,
    Transfer,
    VerbSpec,
)
from sandbook.verbs import _arguments as get
from sandbook.verbs._paths import (
    in_folder,
    is_pattern,
    leads_out,
    matches,
    split_pattern,
)
from sandbook.verbs._schemas import TEXT, described

SPEC = VerbSpec(
    name="fetch",
    summary="copy files of the sandbox into the artifacts folder",
    value=described(TEXT, "sandbox path or pattern", "out/*.png"),
    keys={"to": described(TEXT, "name in the artifacts folder; its own without it")},
    fields={
        "path": "absolute path on this computer",
        "files": "how many",
        "size": "bytes",
    },
    subjects=("file",),
    repeatable=True,
)


class Fetch:
    """The verb."""

    spec = SPEC

    def requires(self, args: Mapping[str, object]) -> frozenset[Capability]:
        """`files`."""
        del args
        return frozenset({"files"})

    async def run(self, step: StepScope) -> Outcome:
        """Download; nothing found is a failure."""
        sandbox = await step.sandbox()
        written = get.text(step.args, "fetch")
        target = artifact_path(
            step.artifacts, get.text(step.args, "to") or None, written
        )
        if target is None:
            return Outcome(
                failure=Failure(cause="`to` must stay in the artifacts folder")
            )
        pattern = in_folder(step.cwd, written)
        base = split_pattern(pattern)[0] if is_pattern(pattern) else pattern
        if await leads_out(sandbox.files, base):
            cause = f"{written!r} is a link that leaves the working folder"
            return Outcome(failure=Failure(cause=cause))
        moved = await fetch_into(sandbox.files, pattern, target)
        for name, reason in moved.skipped:
            step.note(f"skipped {name}: {reason}")
        if not moved.files:
            return Outcome(
                failure=Failure(cause=f"nothing in the sandbox is {written!r}")
            )
        step.artifact(target)
        return Outcome(
            fields={"path": str(target), "files": moved.files, "size": moved.bytes}
        )


def artifact_path(folder: Path, to: str | None, written: str) -> Path | None:
    """Where a fetched path goes; None when `to` would leave the folder."""
    if to is None:
        own = "" if is_pattern(written) else PurePosixPath(written).name
        return folder if own in ("", "..", "~") else folder / own
    target = (folder / to).resolve()
    return target if target.is_relative_to(folder.resolve()) else None


async def fetch_into(files: Files, pattern: str, target: Path) -> Transfer:
    """Download a path, or all that fits a pattern, below `target`."""
    if not is_pattern(pattern):
        return await files.download(pattern, target)
    base = (await files.stat(split_pattern(pattern)[0], follow=True)).path
    moved: list[Transfer] = []
    async for entry in matches(files, pattern):
        below = PurePosixPath(entry.path).relative_to(base)
        moved.append(await files.download(entry.path, target / below))
    return _sum(moved)


def _sum(parts: Sequence[Transfer]) -> Transfer:
    return Transfer(
        files=sum(p.files for p in parts),
        bytes=sum(p.bytes for p in parts),
        skipped=tuple(item for p in parts for item in p.skipped),
    )
