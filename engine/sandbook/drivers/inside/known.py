"""What there was below a folder when it was last looked at, and what has changed.

Paths are bytes, relative to that folder; the empty one is itself. A file has a mark:
its inode, time of writing and size. A folder has None.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False

TOP = b""
GONE = (0, 0, 0)

if TYPE_CHECKING:  # not to be evaluated by Python 3.8
    from collections.abc import Callable

    Mark = tuple[int, int, int] | None
    Told = tuple[str, bytes, bytes | None]
    """Kind, path, and the path before a move."""

    Ignore = Callable[[bytes, bytes], bool]
    """Asked with path and name."""

_OWN = b".sandbook-"
_OWN_LENGTH = len(_OWN) + 16


def join(folder: bytes, name: bytes) -> bytes:
    """The path of a name in a folder."""
    return folder + b"/" + name if folder else name


def is_own(name: bytes) -> bool:
    """Whether it is a file of ours that is not whole yet."""
    return name.startswith(_OWN) and len(name) == _OWN_LENGTH


def no_files() -> set[int]:
    """The devices of what only looks like files, without end."""
    found: set[int] = set()
    for path in ("/proc", "/sys"):
        try:
            found.add(os.stat(path).st_dev)
        except OSError:
            continue
    return found - {os.stat("/").st_dev}


def mark(path: bytes) -> Mark:
    """The mark of what is at an absolute path now."""
    try:
        found = os.lstat(path)
    except OSError:
        return GONE
    if stat.S_ISDIR(found.st_mode):
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


class Known:
    """Entries by path, and the names in each folder."""

    def __init__(self) -> None:
        self.marks: dict[bytes, Mark] = {}
        self._names: dict[bytes, set[bytes]] = {}

    def put(self, path: bytes, mark: Mark) -> None:
        """Know this entry."""
        self.marks[path] = mark
        if path:
            folder, _, name = path.rpartition(b"/")
            self._names.setdefault(folder, set()).add(name)

    def take(self, path: bytes) -> Mark:
        """Know it no more."""
        folder, _, name = path.rpartition(b"/")
        self._names.get(folder, set()).discard(name)
        self._names.pop(path, None)
        return self.marks.pop(path)

    def names(self, folder: bytes) -> set[bytes]:
        """What is known in a folder."""
        return set(self._names.get(folder, ()))

    def below(self, path: bytes) -> list[bytes]:
        """All that is known below a folder, folders before what is in them."""
        found: list[bytes] = []
        pending = [path]
        while pending:
            folder = pending.pop()
            inner = [join(folder, name) for name in sorted(self.names(folder))]
            found += inner
            pending += [each for each in inner if each in self._names]
        return found


def changes(before: Known, now: Known) -> list[Told]:
    """What must have happened between two looks; a move is seen by the inode."""
    old, new = before.marks, now.marks
    gone = [path for path in sorted(old, reverse=True) if path not in new]
    fresh = [path for path in sorted(new) if path not in old]
    sources = {old[path]: path for path in gone if old[path] not in (None, GONE)}
    moved = {path: sources.pop(new[path]) for path in fresh if new[path] in sources}
    left = set(moved.values())
    told: list[Told] = [("deleted", p, None) for p in gone if p not in left]
    for path in sorted(new):
        if path in moved:
            told.append(("renamed", path, moved[path]))
        elif path not in old:
            told.append(("created", path, None))
        elif (old[path] is None) != (new[path] is None):
            told += [("deleted", path, None), ("created", path, None)]
        elif old[path] != new[path]:
            told.append(("modified", path, None))
    return told
