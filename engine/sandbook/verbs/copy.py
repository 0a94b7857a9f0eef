"""`copy`: bring a file or folder of this computer into the sandbox."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import anyio.to_thread

from sandbook.api import Capability, Failure, Outcome, StepScope, VerbSpec
from sandbook.local_paths import is_there
from sandbook.verbs import _arguments as get
from sandbook.verbs._paths import in_folder, matcher
from sandbook.verbs._schemas import TEXT, TEXTS, any_of, described

SPEC = VerbSpec(
    name="copy",
    summary="copy a file or folder of this computer into the sandbox",
    value=described(
        TEXT, "A path on this computer, inside the project; a file or folder.", "site"
    ),
    keys={
        "to": described(
            TEXT, "The path in the sandbox; its own name in `cwd` without it.", "www"
        ),
        "ignore": described(
            any_of(TEXT, TEXTS), "Patterns of what is left out.", ["*.tmp", ".git"]
        ),
    },
    fields={"path": "absolute path", "files": "how many", "size": "bytes"},
    subjects=("file",),
    repeatable=True,
)


class Copy:
    """The verb."""

    spec = SPEC

    def requires(self, args: Mapping[str, object]) -> frozenset[Capability]:
        """`files`."""
        del args
        return frozenset({"files"})

    async def run(self, step: StepScope) -> Outcome:
        """Upload, and tell what was passed over."""
        source = step.local_path(get.text(step.args, "copy"))
        if not is_there(source):
            return Outcome(failure=Failure(cause=f"there is no {str(source)!r} here"))
        sandbox = await step.sandbox()
        path = in_folder(step.cwd, get.text(step.args, "to", source.name))
        try:
            with tempfile.TemporaryDirectory(prefix="sandbook-copy-") as spare:
                chosen = await _without_ignored(step, source, Path(spare))
                moved = await sandbox.files.upload(chosen, path)
        except shutil.Error as error:
            return Outcome(failure=Failure(cause=_unread(error)))
        for name, reason in moved.skipped:
            step.note(f"skipped {name}: {reason}")
        absolute = (await sandbox.files.stat(path)).path
        return Outcome(
            fields={"path": absolute, "files": moved.files, "size": moved.bytes}
        )


async def _without_ignored(step: StepScope, source: Path, spare: Path) -> Path:
    """`source`, or a copy of it without what `ignore` names."""
    patterns = [matcher(p) for p in get.texts(step.args, "ignore")]
    if not patterns or not source.is_dir():
        return source

    def ignored(folder: str, names: list[str]) -> list[str]:
        below = Path(folder).relative_to(source)
        return [
            name
            for name in names
            if any(p.match(name) or p.match(str(below / name)) for p in patterns)
            or _is_special(step, Path(folder, name), below / name)
        ]

    target = spare / source.name

    def copy_tree() -> None:
        shutil.copytree(source, target, symlinks=True, ignore=ignored)

    await anyio.to_thread.run_sync(copy_tree)
    return target


def _is_special(step: StepScope, path: Path, below: Path) -> bool:
    """Whether it is a pipe, socket or device: passed over, as without `ignore`."""
    if path.is_symlink() or path.is_file() or path.is_dir():
        return False
    step.note(f"skipped {below}: neither a file nor a folder")
    return True


def _unread(error: shutil.Error) -> str:
    """The first of what `shutil` could not copy, in words."""
    found = [part for one in error.args[0] for part in one[-1:]]
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return f"not everything can be read: {found[0]}{more}"
