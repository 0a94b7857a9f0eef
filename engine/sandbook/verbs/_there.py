"""What of the files that a watch is about was there before, and is there now.

Only asked when the provider says that it could not tell all: then a file that is there
and was not counts as created.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from posixpath import join

from sandbook.api import Files, Stat, WatchKind
from sandbook.errors import FileError
from sandbook.verbs._paths import DEEPEST, is_pattern, split_pattern
from sandbook.verbs._seen import Wanted


class There:
    """The files below `root` (or the file `root`) that expectations are about."""

    def __init__(self, files: Files, root: str, wanted: Sequence[Wanted]) -> None:
        self._files = files
        self._root = root
        self._wanted = wanted
        self._before: dict[str, Stat] = {}

    async def remember(self) -> None:
        """Look at what is there before anything happens."""
        self._before = await self._look()

    async def changes(self) -> AsyncIterator[tuple[WatchKind, str]]:
        """How what is there now differs."""
        before, now = self._before, await self._look()
        for path in sorted(before.keys() | now.keys()):
            if path not in now:
                yield "deleted", path
            elif path not in before:
                yield "created", path
            elif now[path].kind == "file" and now[path] != before[path]:
                yield "modified", path

    async def _look(self) -> dict[str, Stat]:
        found: dict[str, Stat] = {}
        if not self._wanted:
            return found
        try:
            top = await self._files.stat(self._root, follow=True)
        except FileError:
            return found
        if top.kind != "folder":
            return {top.path.rpartition("/")[2]: top}
        for wanted in self._wanted:
            async for stat in self._entries(wanted):
                path = stat.path[len(top.path) :].lstrip("/")
                if wanted.is_on(path):
                    found[path] = stat
        return found

    async def _entries(self, wanted: Wanted) -> AsyncIterator[Stat]:
        pattern = wanted.path or "**"
        try:
            if not is_pattern(pattern):
                yield await self._files.stat(join(self._root, pattern))
                return
            base, rest = split_pattern(pattern)
            depth = DEEPEST if "**" in rest else rest.count("/") + 1
            async for stat in self._files.list(join(self._root, base), depth=depth):
                yield stat
        except FileError:
            return  # there is no such folder, or it may not be read
