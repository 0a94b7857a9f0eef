"""The files of a sandbox as one stream: written by it, and unpacked in another.

Both happen inside, as the sandbox's user: names are opened one by one and no link is
followed, and what a stream claims can do no more than that user. An entry is a header
(two lengths), a JSON list, and the data of its parts that are no holes.
"""

# pathlib would add a third to the worker's start
# ruff: noqa: PTH208

from __future__ import annotations

import errno
import json
import os
import stat
from struct import Struct

from sandbook_local.inside.entries import join, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from typing import Any

    Skipped = list[list[str]]

MAGIC = b"sandbook files 1\n"
_HEADER = Struct(">IQ")
_NAMES = ("utf-8", "surrogateescape")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST_HEADER = 1 << 20
_PIECE = 64 << 20
_WRITTEN_AT_ONCE = 1 << 20
_SMALL = 16 << 10
_BLOCK = 512
_MOST_TOLD = 1_000
_OWNER_LOOKS = stat.S_IRUSR | stat.S_IXUSR


class Damaged(OSError):  # noqa: N818 (it names what is wrong)
    """A stream that ends too early, or says what cannot be."""

    def __init__(self) -> None:
        super().__init__(errno.EBADMSG, os.strerror(errno.EBADMSG))


class Packer:
    """Writes trees to a file; `files`, `bytes` and `skipped` tell what was in them."""

    def __init__(self, target: int) -> None:
        self.files = 0
        self.bytes = 0
        self.skipped: Skipped = []
        self._target = target
        self._buffer = bytearray(MAGIC)
        self._first: dict[tuple[object, int], list[str]] = {}

    def pack(self, roots: Mapping[str, str]) -> None:
        """Write these folders under their names, and the end."""
        for name, path in roots.items():
            root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            opened: list[tuple[bytes, int]] = []
            try:
                self._tree(name, root, opened)
            finally:
                for closed, mode in reversed(opened):
                    _change_mode(root, closed, mode)
                os.close(root)
        self._entry(["end"])
        self._flush()

    def _tree(self, name: str, root: int, opened: list[tuple[bytes, int]]) -> None:
        """Write a tree; `opened` gets the folders that were closed to their owner."""
        device = os.fstat(root).st_dev
        pending = [b""]
        while pending:
            path = pending.pop()
            folder = _open_to_read(root, path, opened)
            try:
                below = [
                    join(path, entry)
                    for entry in sorted(map(os.fsencode, os.listdir(folder)))
                    if self._add(name, path, entry, folder, device)
                ]
                pending += reversed(below)
            finally:
                os.close(folder)

    def _add(
        self, name: str, path: bytes, entry: bytes, folder: int, device: int
    ) -> bool:
        """Write an entry; whether it is a folder to look into."""
        found = os.stat(entry, dir_fd=folder, follow_symlinks=False)
        if found.st_dev != device:
            return False  # an interpreter that is shown there, no file of the sandbox
        shown = join(path, entry).decode(*_NAMES)
        mode, moment = stat.S_IMODE(found.st_mode), found.st_mtime_ns
        if stat.S_ISDIR(found.st_mode):
            self._entry(["folder", name, shown, mode, moment])
            return True
        if stat.S_ISLNK(found.st_mode):
            target = os.readlink(entry, dir_fd=folder).decode(*_NAMES)
            self._entry(["link", name, shown, mode, moment, target])
        elif not stat.S_ISREG(found.st_mode):
            if len(self.skipped) < _MOST_TOLD:
                self.skipped.append([f"{name}/{shown}", "a pipe, socket or device"])
        else:
            self._file([name, shown, mode, moment], entry, folder, found)
        return False

    def _file(
        self, told: list[object], entry: bytes, folder: int, found: os.stat_result
    ) -> None:
        # Of one root: what is bound apart cannot be linked there.
        identity = told[0], found.st_ino
        first = self._first.get(identity)
        if first is not None:
            self._entry(["same", *told, first])
            return
        if found.st_nlink > 1:
            self._first[identity] = [str(told[0]), str(told[1])]
        file = _open_file(entry, folder, found.st_mode)
        try:
            is_whole = found.st_blocks * _BLOCK >= found.st_size
            parts = [(0, found.st_size)] if is_whole else [*_parts(file, found.st_size)]
            size = sum(length for _, length in parts)
            self._entry(["file", *told, found.st_size, parts], size)
            for start, length in parts:
                self._data(file, start, length)
        finally:
            os.close(file)
        self.files += 1
        self.bytes += size

    def _entry(self, told: list[object], size: int = 0) -> None:
        text = json.dumps(told, separators=(",", ":")).encode()
        self._buffer += _HEADER.pack(len(text), size) + text
        if len(self._buffer) > _WRITTEN_AT_ONCE:
            self._flush()

    def _data(self, file: int, start: int, length: int) -> None:
        if length <= _SMALL:
            self._buffer += os.pread(file, length, start)
            return
        self._flush()
        _copy(file, self._target, start, length)

    def _flush(self) -> None:
        left = memoryview(bytes(self._buffer))
        self._buffer.clear()
        while left:
            left = left[os.write(self._target, left) :]


class Unpacker:
    """Reads a stream from a file; `kept` are (root, path) that are left as they are."""

    def __init__(
        self,
        source: int,
        roots: Mapping[str, str],
        kept: Collection[tuple[str, str]] = (),
    ) -> None:
        self._source = source
        self._place = 0
        self._buffer = b""
        self._at = 0
        self._roots = {
            name: os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            for name, path in roots.items()
        }
        self._kept = kept
        self._folders: list[tuple[str, bytes, int, int]] = []
        self._last: tuple[str, bytes] | None = None
        self._parent = -1

    def unpack(self) -> None:
        """Make all that the stream holds; raises `Damaged`, or what the system says."""
        os.umask(0)
        try:
            if self._take(len(MAGIC)) != MAGIC:
                raise Damaged
            while self._one():
                pass
            for root, path, mode, moment in reversed(self._folders):
                folder, name = self._folder_of(root, path)
                os.utime(name, ns=(moment, moment), dir_fd=folder)
                os.chmod(name, mode, dir_fd=folder)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise Damaged from error

    def _one(self) -> bool:
        length, size = _HEADER.unpack(self._take(_HEADER.size))
        if length > _LONGEST_HEADER:
            raise Damaged
        kind, *told = json.loads(self._take(length))
        if kind == "end":
            return False
        root, shown, mode, moment, *more = told
        if root not in self._roots or (root, shown) in self._kept:
            self._skip(size)
            return True
        path = str(shown).encode(*_NAMES)
        if any(part in (b"", b".", b"..") for part in path.split(b"/")):
            raise Damaged
        folder, name = self._folder_of(root, path)
        if kind == "folder":
            self._make_folder(folder, name)
            self._folders.append((root, path, int(mode), int(moment)))
            return True
        try:
            self._make(kind, folder, name, int(mode), more)
        except FileExistsError:
            # What a new sandbox begins with; nothing of the stream was taken yet.
            os.unlink(name, dir_fd=folder)
            self._make(kind, folder, name, int(mode), more)
        ns = int(moment), int(moment)
        os.utime(name, ns=ns, dir_fd=folder, follow_symlinks=False)
        return True

    def _make(
        self, kind: str, folder: int, name: bytes, mode: int, more: list[Any]
    ) -> None:
        if kind == "file":
            self._make_file(folder, name, mode, more)
        elif kind == "link":
            os.symlink(str(more[0]).encode(*_NAMES), name, dir_fd=folder)
        elif kind == "same":
            self._make_same(folder, name, more[0])
        else:
            raise Damaged

    def _make_folder(self, folder: int, name: bytes) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=folder)
        except FileExistsError:
            os.close(os.open(name, _FOLDER, dir_fd=folder))

    def _make_file(self, folder: int, name: bytes, mode: int, more: list[Any]) -> None:
        size, parts = more
        file = os.open(name, _NEW, mode & 0o777, dir_fd=folder)
        try:
            for start, length in parts:
                if start:
                    os.lseek(file, start, os.SEEK_SET)
                self._give(file, length)
            if not parts or sum(parts[-1]) != size:
                os.ftruncate(file, size)  # it ends with a hole
            if mode & ~0o777:
                os.fchmod(file, mode & 0o7777)
        finally:
            os.close(file)

    def _make_same(self, folder: int, name: bytes, first: list[Any]) -> None:
        root, shown = map(str, first)
        other, source = self._open_parent(root, shown.encode(*_NAMES))
        try:
            os.link(
                source,
                name,
                src_dir_fd=other,
                dst_dir_fd=folder,
                follow_symlinks=False,
            )
        finally:
            os.close(other)

    def _folder_of(self, root: str, path: bytes) -> tuple[int, bytes]:
        """The open folder of an entry, and its name; most have that of the last one."""
        head, _, name = path.rpartition(b"/")
        if self._last != (root, head):
            opened, _ = self._open_parent(root, path)
            if self._parent >= 0:
                os.close(self._parent)
            self._last, self._parent = (root, head), opened
        return self._parent, name

    def _open_parent(self, root: str, path: bytes) -> tuple[int, bytes]:
        *folders, name = path.split(b"/")
        return _open_folder(self._roots[root], b"/".join(folders)), name

    # The stream.

    def _take(self, count: int) -> bytes:
        while len(self._buffer) - self._at < count:
            more = os.pread(self._source, _WRITTEN_AT_ONCE, self._place)
            if not more:
                raise Damaged
            self._buffer = self._buffer[self._at :] + more
            self._at = 0
            self._place += len(more)
        self._at += count
        return self._buffer[self._at - count : self._at]

    def _give(self, file: int, length: int) -> None:
        there = min(len(self._buffer) - self._at, length)
        left = memoryview(self._take(there))
        while left:
            left = left[os.write(file, left) :]
        if length > there:
            _copy(self._source, file, self._place, length - there)
            self._place += length - there

    def _skip(self, size: int) -> None:
        there = min(len(self._buffer) - self._at, size)
        self._at += there
        self._place += size - there


def _open_folder(root: int, path: bytes) -> int:
    folder = os.dup(root)
    for name in path.split(b"/") if path else ():
        try:
            below = os.open(name, _FOLDER, dir_fd=folder)
        finally:
            os.close(folder)
        folder = below
    return folder


def _open_to_read(root: int, path: bytes, opened: list[tuple[bytes, int]]) -> int:
    if path:
        mode = _mode_of(root, path)
        if mode & _OWNER_LOOKS != _OWNER_LOOKS:
            _change_mode(root, path, mode | _OWNER_LOOKS)
            opened.append((path, mode))
    return _open_folder(root, path)


def _mode_of(root: int, path: bytes) -> int:
    above, name = split(path)
    folder = _open_folder(root, above)
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        return stat.S_IMODE(found.st_mode)
    finally:
        os.close(folder)


def _change_mode(root: int, path: bytes, mode: int) -> None:
    above, name = split(path)
    folder = _open_folder(root, above)
    try:
        os.chmod(name, mode, dir_fd=folder)
    finally:
        os.close(folder)


def _open_file(name: bytes, folder: int, mode: int) -> int:
    try:
        return os.open(name, _FILE, dir_fd=folder)
    except PermissionError:
        os.chmod(name, stat.S_IMODE(mode) | 0o400, dir_fd=folder)
        try:
            return os.open(name, _FILE, dir_fd=folder)
        finally:
            os.chmod(name, stat.S_IMODE(mode), dir_fd=folder)


def _parts(file: int, size: int) -> Iterator[tuple[int, int]]:
    """Where there is data, (start, length); the rest are holes."""
    place = 0
    while place < size:
        try:
            start = os.lseek(file, place, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        place = min(os.lseek(file, start, os.SEEK_HOLE), size)
        yield start, place - start


def _copy(source: int, target: int, start: int, length: int) -> None:
    while length:
        sent = os.sendfile(target, source, start, min(length, _PIECE))
        if not sent:
            raise Damaged
        start += sent
        length -= sent
