"""`fetch`: bring files of the sandbox into the artifacts folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
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
from sandbook.verbs._fetched import Naming, below, named, place, rename_new
from sandbook.verbs._paths import (
    DEEPEST,
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
    value=described(
        TEXT,
        "A path or pattern in the sandbox; finding nothing is a failure.",
        "out/*.png",
    ),
    keys={
        "to": described(
            TEXT,
            "The name in the artifacts folder; its own name without it.",
            "pictures",
        )
    },
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
            step.artifacts,
            get.text(step.args, "to") or None,
            written,
            naming=step.file_name,
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
        brought = {
            name: source
            async for source, name in sources(sandbox.files, pattern, target)
        }
        taken = step.claim(brought)
        if taken is not None:
            cause = f"there is a {taken!r} in the artifacts folder already"
            return Outcome(failure=Failure(cause=f"{cause}: name it by `to`"))
        moved = await fetch_into(sandbox.files, pattern, target, naming=step.file_name)
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


def artifact_path(
    folder: Path, to: str | None, written: str, *, naming: Naming = str
) -> Path | None:
    """Where a fetched path goes; None when `to` would leave the folder."""
    if to is None:
        own = "" if is_pattern(written) else PurePosixPath(written).name
        return folder if own in ("", "..", "~") else folder / naming(own)
    root = folder.resolve()
    target = (root / to).resolve()
    if not target.is_relative_to(root):
        return None
    return root / named(target.relative_to(root), naming)


async def fetch_into(
    files: Files, pattern: str, target: Path, *, naming: Naming = str
) -> Transfer:
    """Download a path, or all that fits a pattern, below `target`."""
    if not is_pattern(pattern):
        return await _download(files, pattern, target, naming)
    base = (await files.stat(split_pattern(pattern)[0], follow=True)).path
    moved: list[Transfer] = []
    async for entry in matches(files, pattern):
        inside = PurePosixPath(entry.path).relative_to(base)
        own = place(target, inside, naming)
        moved.append(await _download(files, entry.path, own, naming))
    return _sum(moved)


async def _download(files: Files, path: str, target: Path, naming: Naming) -> Transfer:
    before = below(target)
    moved = await files.download(path, target)
    rename_new(target, before, naming)
    return moved


async def sources(
    files: Files, pattern: str, target: Path
) -> AsyncIterator[tuple[str, Path]]:
    """Each file that would be brought, and where it goes."""
    folder = target.resolve()
    if is_pattern(pattern):
        try:
            base = (await files.stat(split_pattern(pattern)[0], follow=True)).path
        except FileNotFoundError:
            return
        async for entry in matches(files, pattern):
            yield entry.path, folder / PurePosixPath(entry.path).relative_to(base)
        return
    whole = await files.stat(pattern, follow=True)
    if whole.kind != "folder":
        yield whole.path, folder
        return
    async for entry in files.list(pattern, depth=DEEPEST):
        if entry.kind == "file":
            yield entry.path, folder / PurePosixPath(entry.path).relative_to(whole.path)


def _sum(parts: Sequence[Transfer]) -> Transfer:
    return Transfer(
        files=sum(p.files for p in parts),
        bytes=sum(p.bytes for p in parts),
        skipped=tuple(item for p in parts for item in p.skipped),
    )
