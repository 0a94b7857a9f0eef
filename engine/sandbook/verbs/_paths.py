"""Sandbox paths as a step means them, and patterns over them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import PurePosixPath
from posixpath import isabs, join, normpath

from sandbook.api import Files, Stat, pattern_regex

DEEPEST = 64
"""Folder levels a `**` looks into."""

_WILD = re.compile(r"[*?]")


def in_folder(cwd: str | None, path: str) -> str:
    """`path` relative to the step's `cwd`; absolute and `~` paths stay."""
    if cwd is None or isabs(path) or path.startswith("~"):
        return path
    return join(cwd, path)


def is_pattern(path: str) -> bool:
    """Whether it has a wildcard."""
    return bool(_WILD.search(path))


def split_pattern(pattern: str) -> tuple[str, str]:
    """The folder before the first wildcard, and the pattern below it."""
    parts = pattern.split("/")
    fixed = next(i for i, part in enumerate(parts) if is_pattern(part))
    base = "/".join(parts[:fixed]) or ("/" if pattern.startswith("/") else ".")
    return base, "/".join(parts[fixed:])


def matcher(pattern: str) -> re.Pattern[str]:
    """`*` within a name, `**` across folders, `?` one character."""
    return re.compile(pattern_regex(pattern), re.DOTALL)


async def leads_out(files: Files, path: str) -> bool:
    """Whether a link on the way to `path` points outside the working folder."""
    if path.startswith("~"):
        return False
    work = (await files.stat(".", follow=True)).path
    rest = PurePosixPath(join(work, path)).parts
    here = PurePosixPath(rest[0])
    for part in rest[1:]:
        here = here / part
        try:
            entry = await files.stat(str(here))
        except FileNotFoundError:
            return False
        if entry.kind != "link" or entry.target is None:
            continue
        target = PurePosixPath(normpath(join(str(here.parent), entry.target)))
        # The links of the system itself, as /bin, lie outside from the start.
        if here.is_relative_to(work) and not target.is_relative_to(work):
            return True
    return False


async def matches(files: Files, pattern: str) -> AsyncIterator[Stat]:
    """Entries that fit, files only; nothing when the folder itself is missing."""
    base, rest = split_pattern(pattern)
    depth = DEEPEST if "**" in rest else rest.count("/") + 1
    fits = matcher(rest)
    try:
        root = normpath((await files.stat(base, follow=True)).path)
    except FileNotFoundError:
        return
    async for entry in files.list(base, depth=depth):
        below = entry.path[len(root) :].lstrip("/")
        if entry.kind == "file" and fits.match(below):
            yield entry
