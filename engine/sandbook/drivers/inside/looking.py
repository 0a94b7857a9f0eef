"""The changes of a folder, or of one file, found by looking again and again.

For a sandbox whose kernel tells nothing. What comes and goes between two looks is
never seen, and a file whose time of writing was changed counts as written.
"""

from __future__ import annotations

import os
import stat

from sandbook.drivers.inside.known import (
    GONE,
    TOP,
    Known,
    changes,
    is_own,
    join,
    mark,
    no_files,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbook.drivers.inside.known import Ignore, Mark, Told


class Looking:
    """What is at `root`, an absolute path without links."""

    def __init__(self, root: bytes, *, recursive: bool, is_ignored: Ignore) -> None:
        self._root = root
        self._recursive = recursive
        self._is_ignored = is_ignored
        self._elsewhere = no_files()
        self.name = os.path.basename(root)
        self.is_file = not stat.S_ISDIR(os.lstat(root).st_mode)
        if not self.is_file:
            os.scandir(root).close()  # raises where it may not be read
        self.known = self._look()

    def take(self) -> list[Told]:
        """What has changed since the last look."""
        before, self.known = self.known, self._look()
        return changes(before, self.known)

    def _look(self) -> Known:
        found = Known()
        top = mark(self._root)
        if top == GONE:
            return found
        found.put(TOP, top)
        pending = [TOP] if top is None else []
        while pending:
            for path, now in self._entries(pending.pop()):
                found.put(path, now)
                if now is None and self._recursive:
                    pending.append(path)
        return found

    def _entries(self, folder: bytes) -> Iterator[tuple[bytes, Mark]]:
        place = os.path.join(self._root, folder) if folder else self._root
        try:
            if os.lstat(place).st_dev in self._elsewhere:
                return
            names = os.listdir(place)
        except OSError:
            return  # it has gone again, or may not be read
        for name in names:
            path = join(folder, name)
            if not is_own(name) and not self._is_ignored(path, name):
                now = mark(os.path.join(place, name))
                if now != GONE:
                    yield path, now
