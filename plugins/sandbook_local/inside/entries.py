"""The files and folders that a watch knows of, as a tree."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Mark = tuple[int, int, int]
    """Of a file: its inode, time and size."""

TOP = b""


class Entries:
    """Paths below `TOP`, each with a mark; a folder has None."""

    def __init__(self) -> None:
        self._marks: dict[bytes, Mark | None] = {}
        self._names: dict[bytes, set[bytes]] = {}

    def __contains__(self, path: bytes) -> bool:
        return path in self._marks

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._marks)

    def mark(self, path: bytes) -> Mark | None:
        """The mark of an entry; None also where there is none."""
        return self._marks.get(path)

    def put(self, path: bytes, mark: Mark | None) -> None:
        """Know an entry, or another mark of it."""
        self._marks[path] = mark
        if path != TOP:
            folder, name = split(path)
            self._names.setdefault(folder, set()).add(name)

    def take(self, path: bytes) -> Mark | None:
        """Know an entry no more, but still what was below it."""
        folder, name = split(path)
        self._names.get(folder, set()).discard(name)
        return self._marks.pop(path)

    def names(self, folder: bytes) -> set[bytes]:
        """What is known to be in a folder."""
        return self._names.get(folder, set())

    def below(self, path: bytes) -> list[bytes]:
        """All that is known below an entry, each folder before what is in it."""
        found: list[bytes] = []
        pending = [path]
        while pending:
            folder = pending.pop()
            inside = [join(folder, name) for name in sorted(self.names(folder))]
            found += inside
            pending += reversed(inside)
        return found


def join(folder: bytes, name: bytes) -> bytes:
    """The path of a name in a folder."""
    return folder + b"/" + name if folder else name


def split(path: bytes) -> tuple[bytes, bytes]:
    """The folder of a path, and its name there."""
    folder, _, name = path.rpartition(b"/")
    return folder, name
