"""What the notices of the kernel mean: the changes of one folder, or of one file.

It remembers what there is, so that nothing is told twice and nothing is lost: a new
folder is looked into as soon as it is heard of, since things can be made in it before
that; when the kernel's queue was full, all is compared with what was there.

Every folder is opened name by name from the watched one, and no link is followed.
"""

from __future__ import annotations

import os
import stat

from sandbook_local.inside import inotify
from sandbook_local.inside.entries import TOP, Entries, join
from sandbook_local.inside.paths import proc_device

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterator

    from sandbook_local.inside.entries import Mark
    from sandbook_local.inside.inotify import Inotify, Notice

    Told = tuple[str, bytes, bytes | None]
    """Kind, path, and the path before a rename."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_GONE: Mark = (0, 0, 0)
_OWN_PREFIX = b".sandbook-"
_OWN_LENGTH = len(_OWN_PREFIX) + 16


class Watched:
    """The folder (or file) at `root`, an absolute path without links.

    Paths are relative to it, and the empty one is itself. A known entry has a mark: its
    inode, time and size; a folder has None. `is_ignored` is asked with path and name.
    """

    def __init__(
        self,
        kernel: Inotify,
        root: bytes,
        *,
        recursive: bool,
        is_ignored: Callable[[bytes, bytes], bool],
    ) -> None:
        """Begin to watch; raises `OSError` when that cannot be."""
        self._kernel = kernel
        self._root = root
        self._recursive = recursive
        self._is_ignored = is_ignored
        self._known = Entries()
        self._paths: dict[int, bytes] = {}
        self._watches: dict[bytes, int] = {}
        self._elsewhere = proc_device()
        self._events: list[Told] = []
        self._is_file = not stat.S_ISDIR(os.lstat(root).st_mode)
        self._parent, self._name = self._watch_parent()
        self._known.put(TOP, self._mark(TOP))
        if not self._is_file:
            self._enter(TOP, must=True)
        self._events.clear()

    def told_as(self, path: bytes) -> bytes:
        """A path as people read it: `.` is the folder, a watched file has its name."""
        return path or (self._name if self._is_file else b".")

    def take(self, notices: deque[Notice], *, is_late: bool) -> list[Told]:
        """What these notices tell; stops at half a move whose other half may come.

        With `is_late` the first has waited long enough: what moved has left.
        """
        while notices:
            notice = notices[0]
            path = self._place(notice)
            is_half = bool(notice.mask & inotify.MOVED_FROM) and path is not None
            other = _other_half(notices) if is_half else None
            if is_half and other is None and not is_late:
                break
            notices.popleft()
            if other is not None:
                notices.remove(other)
            elif is_half:
                is_late = False
            self._hear(notice, path, other)
        events, self._events = self._events, []
        return events

    def _hear(self, notice: Notice, path: bytes | None, other: Notice | None) -> None:
        mask = notice.mask
        if mask & inotify.OVERFLOW:
            self.overflow()
        elif mask & inotify.IGNORED:
            self._forget(notice.watch)
        elif path is None:
            return
        elif mask & (inotify.CREATE | inotify.MOVED_TO):
            self._arrived(path, is_moved=bool(mask & inotify.MOVED_TO))
        elif mask & (inotify.DELETE | inotify.MOVED_FROM):
            self._went(path, None if other is None else self._place(other))
        elif not mask & inotify.IS_FOLDER:
            self._modified(path)

    def overflow(self) -> None:
        """Say that notices may be lost, and tell what a look can find."""
        self._tell("overflow", TOP)
        told = self._events
        before, self._known = self._known, Entries()
        lost = set(self._paths)
        self._paths.clear()
        self._watches.clear()
        mark = self._mark(TOP)
        if mark != _GONE:
            self._known.put(TOP, mark)
            self._events = []
            self._enter(TOP)
        self._events = told
        for watch in lost - set(self._paths):
            self._kernel.remove(watch)
        self._compare(before)

    # Where a notice belongs.

    def _watch_parent(self) -> tuple[int, bytes]:
        """Hear of the folder around it: a file is replaced there, a folder removed."""
        above, name = os.path.split(self._root)
        if not name:
            return -1, b""
        try:
            folder = os.open(above, _FOLDER)
        except PermissionError:
            if self._is_file:
                raise
            return -1, name
        try:
            return self._kernel.add(folder), name
        finally:
            os.close(folder)

    def _place(self, notice: Notice) -> bytes | None:
        """The path that it is about; None for what is not watched."""
        if notice.watch == self._parent:
            return TOP if notice.name == self._name else None
        folder = self._paths.get(notice.watch)
        if folder is None or not notice.name:
            return None
        path = join(folder, notice.name)
        return None if self._leaves_out(path, notice.name) else path

    def _leaves_out(self, path: bytes, name: bytes) -> bool:
        # Files that are written whole begin under a name of ours.
        if name.startswith(_OWN_PREFIX) and len(name) == _OWN_LENGTH:
            return True
        return self._is_ignored(path, name)

    # What happened.

    def _arrived(self, path: bytes, *, is_moved: bool) -> None:
        is_known = path in self._known
        before, mark = self._known.mark(path), self._mark(path)
        self._known.put(path, mark)
        if not is_known:
            self._tell("created", path)
        elif is_moved and mark is not None and before is not None:
            self._tell("modified", path)
        if mark is None:
            if is_known and is_moved:
                self._drop_watches(path)
            self._enter(path)

    def _modified(self, path: bytes) -> None:
        if path not in self._known:
            self._arrived(path, is_moved=False)
            return
        self._known.put(path, self._mark(path))
        if not self._events or self._events[-1] != ("modified", path, None):
            self._tell("modified", path)

    def _went(self, path: bytes, target: bytes | None) -> None:
        if target is None:
            self._left(path)
        else:
            self._moved(path, target)

    def _left(self, path: bytes) -> None:
        if path not in self._known:
            return
        self._drop_watches(path)
        for each in [*reversed(self._known.below(path)), path]:
            self._known.take(each)
            self._tell("deleted", each)

    def _moved(self, source: bytes, target: bytes) -> None:
        if source not in self._known:
            self._arrived(target, is_moved=True)
            return
        is_replaced = self._known.mark(target) not in (None, self._known.mark(source))
        for old in [source, *self._known.below(source)]:
            new = target + old[len(source) :]
            self._known.put(new, self._known.take(old))
            watch = self._watches.pop(old, None)
            if watch is not None:
                self._adopt(watch, new)
            self._events.append(("renamed", new, old))
        if self._known.mark(target) is not None:
            self._known.put(target, self._mark(target))
        else:
            # What was ignored there may not be here.
            self._enter(target)
        if is_replaced:
            self._tell("modified", target)

    def _compare(self, before: Entries) -> None:
        now = self._known
        for path in sorted(before, reverse=True):
            if path not in now:
                self._tell("deleted", path)
        for path in sorted(now):
            was, mark = before.mark(path), now.mark(path)
            if path not in before:
                self._tell("created", path)
            elif (was is None) != (mark is None):
                self._tell("deleted", path)
                self._tell("created", path)
            elif was != mark:
                self._tell("modified", path)

    def _tell(self, kind: str, path: bytes) -> None:
        self._events.append((kind, path, None))

    # What there is.

    def _enter(self, top: bytes, *, must: bool = False) -> None:
        """Hear of a folder and all below it; tell what is there and was not known."""
        if self._is_file or (top and not self._recursive):
            return
        pending = [top]
        while pending:
            path = pending.pop(0)
            try:
                folder = self._open(path)
            except OSError:
                if must and path == top:
                    raise
                continue  # it has gone again, or may not be read
            try:
                if self._watch(path, folder, must=must):
                    pending += self._look_into(path, folder)
            finally:
                os.close(folder)

    def _watch(self, path: bytes, folder: int, *, must: bool) -> bool:
        if os.fstat(folder).st_dev == self._elsewhere:
            return False
        try:
            watch = self._kernel.add(folder)
        except OSError:
            if must:
                raise
            # No more watches: what happens in there stays unseen.
            self._tell("overflow", path)
            return False
        if self._paths.get(watch, path) != path:
            return False  # it has just moved here; that is about to be heard of
        self._adopt(watch, path)
        return True

    def _look_into(self, path: bytes, folder: int) -> Iterator[bytes]:
        with os.scandir(folder) as entries:
            kinds = {
                os.fsencode(e.name): e.is_dir(follow_symlinks=False) for e in entries
            }
        for name in sorted(self._known.names(path) - kinds.keys()):
            self._left(join(path, name))
        for name, is_folder in sorted(kinds.items()):
            child = join(path, name)
            if self._leaves_out(child, name):
                continue
            if child not in self._known:
                self._known.put(child, None if is_folder else self._mark(child))
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

    def _mark(self, path: bytes) -> Mark | None:
        try:
            found = os.lstat(join(self._root, path) if path else self._root)
        except OSError:
            return _GONE
        if stat.S_ISDIR(found.st_mode):
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _adopt(self, watch: int, path: bytes) -> None:
        self._paths[watch] = path
        self._watches[path] = watch

    def _forget(self, watch: int) -> None:
        path = self._paths.pop(watch, None)
        if path is not None and self._watches.get(path) == watch:
            del self._watches[path]

    def _drop_watches(self, path: bytes) -> None:
        for each in [path, *self._known.below(path)]:
            watch = self._watches.get(each)
            if watch is not None:
                self._forget(watch)
                self._kernel.remove(watch)


def _other_half(notices: deque[Notice]) -> Notice | None:
    """The notice of where that went which the first one says has left."""
    cookie = notices[0].cookie
    return next(
        (n for n in notices if n.mask & inotify.MOVED_TO and n.cookie == cookie), None
    )
