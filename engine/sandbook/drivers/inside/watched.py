"""The changes of a folder, or of one file, as the kernel's notices tell them.

What there is is remembered, so that nothing is told twice, and nothing is missed that
was made in a new folder before it was heard of. Every folder is opened name by name
from the watched one; no link is followed.
"""

from __future__ import annotations

import os
import stat
from collections import deque

from sandbook.drivers.inside import inotify
from sandbook.drivers.inside.inotify import Inotify, Notice
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

    from sandbook.drivers.inside.known import Ignore, Told

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ARRIVES = inotify.CREATE | inotify.MOVED_TO
_LEAVES = inotify.DELETE | inotify.MOVED_FROM


class Watched:
    """What is at `root`, an absolute path without links."""

    def __init__(
        self, kernel: Inotify, root: bytes, *, recursive: bool, is_ignored: Ignore
    ) -> None:
        self._kernel = kernel
        self._root = root
        self._recursive = recursive
        self._is_ignored = is_ignored
        self._paths: dict[int, bytes] = {}
        self._watches: dict[bytes, int] = {}
        self._events: list[Told] = []
        self._elsewhere = no_files()
        self.known = Known()
        self.is_file = not stat.S_ISDIR(os.lstat(root).st_mode)
        self._parent, self.name = self._watch_parent()
        self._look(must=True)
        self._events.clear()

    def take(self, notices: deque[Notice], *, is_late: bool) -> list[Told]:
        """What these tell; half a move stays, unless its other half is too late."""
        while notices:
            notice = notices[0]
            path = self._place(notice)
            other = None
            if notice.mask & inotify.MOVED_FROM and path is not None:
                other = _other_half(notices)
                if other is None and not is_late:
                    break
                is_late = is_late and other is not None
            notices.popleft()
            if other is not None:
                notices.remove(other)
            self._hear(notice, path, other)
        told, self._events = self._events, []
        return told

    def _hear(self, notice: Notice, path: bytes | None, other: Notice | None) -> None:
        if notice.mask & inotify.OVERFLOW:
            self._look_again()
        elif notice.mask & inotify.IGNORED:
            self._forget(notice.watch)
        elif path is None:
            return
        elif notice.mask & _ARRIVES:
            self._arrived(path, is_moved=bool(notice.mask & inotify.MOVED_TO))
        elif notice.mask & _LEAVES:
            target = None if other is None else self._place(other)
            if target is None:
                self._left(path)
            else:
                self._moved(path, target)
        elif not notice.mask & inotify.IS_FOLDER:
            self._modified(path)

    # Where a notice belongs.

    def _watch_parent(self) -> tuple[int, bytes]:
        """Hear of the folder around: there a file is replaced, a folder removed."""
        above, name = os.path.split(self._root)
        if not name:
            return -1, name
        try:
            folder = os.open(above, _FOLDER)
        except PermissionError:
            if self.is_file:
                raise
            return -1, name
        try:
            return self._kernel.add(folder), name
        finally:
            os.close(folder)

    def _place(self, notice: Notice) -> bytes | None:
        if notice.watch == self._parent:
            return TOP if notice.name == self.name else None
        folder = self._paths.get(notice.watch)
        if folder is None or not notice.name:
            return None
        path = join(folder, notice.name)
        return None if self._leaves_out(path, notice.name) else path

    def _leaves_out(self, path: bytes, name: bytes) -> bool:
        return is_own(name) or self._is_ignored(path, name)

    # What happened.

    def _tell(self, kind: str, path: bytes, was: bytes | None = None) -> None:
        self._events.append((kind, path, was))

    def _arrived(self, path: bytes, *, is_moved: bool) -> None:
        was_there = path in self.known.marks
        before, now = self.known.marks.get(path), self._mark(path)
        self.known.put(path, now)
        if not was_there:
            self._tell("created", path)
        elif is_moved and now is not None and before is not None:
            self._tell("modified", path)
        if now is None:
            if was_there and is_moved:
                self._drop_watches(path)
            self._enter(path)

    def _modified(self, path: bytes) -> None:
        if path not in self.known.marks:
            self._arrived(path, is_moved=False)
            return
        self.known.put(path, self._mark(path))
        if self._events[-1:] != [("modified", path, None)]:
            self._tell("modified", path)

    def _left(self, path: bytes) -> None:
        if path not in self.known.marks:
            return
        self._drop_watches(path)
        for each in [*reversed(self.known.below(path)), path]:
            self.known.take(each)
            self._tell("deleted", each)

    def _moved(self, source: bytes, target: bytes) -> None:
        if source not in self.known.marks:
            self._arrived(target, is_moved=True)
            return
        marks = self.known.marks
        is_replaced = target in marks and marks[target] is not None
        for old in [source, *self.known.below(source)]:
            new = target + old[len(source) :]
            found = marks[old]
            self.known.put(new, found)
            watch = self._watches.pop(old, None)
            if watch is not None:
                self._adopt(watch, new)
            self._tell("renamed", new, old)
        for old in [*reversed(self.known.below(source)), source]:
            self.known.take(old)
        if marks[target] is None:
            self._enter(target)  # what was ignored there may not be here
        else:
            self.known.put(target, self._mark(target))
        if is_replaced:
            self._tell("modified", target)

    def _look_again(self) -> None:
        """Notices were lost: say so, and tell what a look can find."""
        self._tell("overflow", TOP)
        told, self._events = self._events, []
        before, self.known = self.known, Known()
        lost = set(self._paths)
        self._paths.clear()
        self._watches.clear()
        self._look(must=False)
        self._events = told + changes(before, self.known)
        for watch in lost - set(self._paths):
            self._kernel.remove(watch)

    # What there is.

    def _look(self, *, must: bool) -> None:
        now = self._mark(TOP)
        if now != GONE:
            self.known.put(TOP, now)
            self._enter(TOP, must=must)

    def _enter(self, top: bytes, *, must: bool = False) -> None:
        """Hear of a folder and all below; tell what is there and was not known."""
        if self.is_file or (top and not self._recursive):
            return
        pending = deque([top])
        while pending:
            path = pending.popleft()
            try:
                folder = self._open(path)
            except OSError:
                if must and path == top:
                    raise
                continue  # it has gone again, or may not be read
            try:
                if self._watch(path, folder, must=must):
                    pending.extend(self._look_into(path, folder))
            finally:
                os.close(folder)

    def _watch(self, path: bytes, folder: int, *, must: bool) -> bool:
        if os.fstat(folder).st_dev in self._elsewhere:
            return False
        try:
            watch = self._kernel.add(folder)
        except OSError:
            if must:
                raise
            # No watch is left: what happens in there stays unseen.
            self._tell("overflow", path)
            return False
        if self._paths.get(watch, path) != path:
            return False  # it has just moved here, which is about to be heard of
        self._adopt(watch, path)
        return True

    def _look_into(self, path: bytes, folder: int) -> Iterator[bytes]:
        with os.scandir(folder) as entries:
            kinds = {os.fsencode(e.name): _is_folder(e) for e in entries}
        for name in sorted(self.known.names(path) - set(kinds)):
            self._left(join(path, name))
        for name, is_folder in sorted(kinds.items()):
            child = join(path, name)
            if self._leaves_out(child, name):
                continue
            if child not in self.known.marks:
                self.known.put(child, None if is_folder else self._mark(child))
                self._tell("created", child)
            if is_folder and self._recursive and child not in self._watches:
                yield child

    def _open(self, path: bytes) -> int:
        folder = os.open(self._root, _FOLDER)
        for name in path.split(b"/") if path else ():
            try:
                below = os.open(name, _FOLDER, dir_fd=folder)
            finally:
                os.close(folder)
            folder = below
        return folder

    def _mark(self, path: bytes) -> tuple[int, int, int] | None:
        return mark(os.path.join(self._root, path) if path else self._root)

    def _adopt(self, watch: int, path: bytes) -> None:
        self._paths[watch] = path
        self._watches[path] = watch

    def _forget(self, watch: int) -> None:
        path = self._paths.pop(watch, None)
        if path is not None and self._watches.get(path) == watch:
            del self._watches[path]

    def _drop_watches(self, path: bytes) -> None:
        for each in [path, *self.known.below(path)]:
            watch = self._watches.get(each)
            if watch is not None:
                self._forget(watch)
                self._kernel.remove(watch)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _other_half(notices: deque[Notice]) -> Notice | None:
    """Where that went which the first of them says has left."""
    for notice in notices:
        if notice.mask & inotify.MOVED_TO and notice.cookie == notices[0].cookie:
            return notice
    return None
