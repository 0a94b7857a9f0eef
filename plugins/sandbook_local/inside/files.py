"""Serves the files of a sandbox from inside it.

Decides how a path is resolved: by the kernel, in the sandbox's own view, as the user
its commands run as, never through a link of /proc that jumps to an open descriptor.
File data never passes through here; the descriptor of a checked file does. Standard
library only, nothing is imported after start: the file system changes under it.

A request and a reply are a frame each. A failed request is answered with
`{"error": errno}`; ENXIO means "not a regular file".
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from sandbook_local.inside import frames
from sandbook_local.inside.paths import (
    FOLDER,
    HERE,
    LOOK,
    Descriptors,
    find_parent,
    find_target,
    look,
    open_folder,
    open_path,
    proc_device,
    regular,
)

TYPE_CHECKING = False  # `typing` takes 5 ms to load
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    _Request = dict[str, object]

REQUEST_LIMIT = 1 << 20
_PAGE_CHARS = 128 << 10
_TEMPORARY = b".sandbook-"
_BELOW = FOLDER | os.O_NOFOLLOW
_PROC_COPY = 4 << 20


def serve(channel: socket.socket, home: str, workdir: str) -> None:
    """Answer one client's requests, one after another, until it hangs up.

    `home` and `workdir` are absolute paths inside the sandbox. An unfinished write
    leaves nothing behind.
    """
    os.umask(0o022)
    reader = frames.Reader(limit=REQUEST_LIMIT)
    server = _Server(channel, os.fsencode(home), os.fsencode(workdir))
    try:
        while reader.receive(channel):
            while frame := reader.next():
                server.answer(frame.message)
    except (BrokenPipeError, ConnectionResetError, frames.ProtocolError):
        pass  # nobody is there to hear of it
    finally:
        server.abort()
        channel.close()


class _Write:
    """A file being written by the client, under a temporary name beside its target."""

    def __init__(self, folder: int, name: bytes, mode: int) -> None:
        self.name = name
        self.mode = mode
        self.temporary = _temporary()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self.file = os.open(self.temporary, flags, 0o600, dir_fd=folder)
        self.folder = os.dup(folder)

    def commit(self) -> None:
        os.fchmod(self.file, self.mode)
        os.rename(
            self.temporary, self.name, src_dir_fd=self.folder, dst_dir_fd=self.folder
        )

    def close(self, *, keep: bool) -> None:
        if not keep:
            _forget(self.temporary, self.folder)
        os.close(self.file)
        os.close(self.folder)


class _Server:
    def __init__(self, channel: socket.socket, home: bytes, workdir: bytes) -> None:
        self._channel = channel
        self._home = home
        self._workdir = workdir
        self._write: _Write | None = None
        self._operations = {
            "open": self._open,
            "create": self._create,
            "commit": self._commit,
            "abort": self._abort,
            "stat": self._stat,
            "list": self._list,
            "remove": self._remove,
            "rename": self._rename,
            "mkdirs": self._mkdirs,
            "link": self._link,
        }

    def answer(self, request: _Request) -> None:
        """Do one request; whatever goes wrong with it is its answer."""
        try:
            operation = self._operations[str(request.get("op"))]
            with Descriptors() as descriptors:
                operation(request, descriptors)
        except (BrokenPipeError, ConnectionResetError):
            raise
        except OSError as error:
            self.abort()
            self._say({"error": error.errno or errno.EIO})
        except (KeyError, ValueError, RecursionError, frames.ProtocolError):
            # A path that is none (NUL, half a surrogate), a tree too deep to walk.
            self._say({"error": errno.EINVAL})

    def abort(self) -> None:
        """Drop an unfinished write."""
        if self._write is not None:
            self._write.close(keep=False)
            self._write = None

    def _say(self, reply: _Request, *descriptors: int) -> None:
        packed = frames.pack(reply, descriptors=len(descriptors))
        frames.send_all(self._channel, packed, descriptors)

    def _path(self, request: _Request, key: str = "path") -> bytes:
        path = frames.text(request, key).encode("utf-8", "surrogateescape")
        if b"\0" in path:
            raise OSError(errno.EINVAL, "NUL in a path")  # openat2 would stop there
        if path == b"~" or path.startswith(b"~/"):
            return self._home + path[1:]
        if not path:
            raise OSError(errno.ENOENT, "empty path")
        return path if path.startswith(b"/") else self._workdir + b"/" + path

    def _open(self, request: _Request, descriptors: Descriptors) -> None:
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
        file = descriptors.keep(open_path(self._path(request), flags))
        found = regular(os.fstat(file))
        if found.st_dev == proc_device():
            file = descriptors.keep(_copy_of_proc(file))
        self._say(
            {"size": os.fstat(file).st_size, "mode": found.st_mode & 0o7777}, file
        )

    def _create(self, request: _Request, descriptors: Descriptors) -> None:
        self.abort()
        folder, name = find_target(self._path(request), descriptors)
        mode = request.get("mode")
        kept = _mode_of_file_there(folder, name)
        self._write = _Write(
            folder, name, mode & 0o7777 if isinstance(mode, int) else kept
        )
        self._say({}, self._write.file)

    def _commit(self, _request: _Request, _descriptors: Descriptors) -> None:
        self._finish_write()
        self._say({})

    def _finish_write(self) -> None:
        if self._write is None:
            raise OSError(errno.EINVAL, "nothing is being written")
        self._write.commit()
        self._write.close(keep=True)
        self._write = None

    def _abort(self, _request: _Request, _descriptors: Descriptors) -> None:
        self.abort()
        self._say({})

    def _stat(self, request: _Request, descriptors: Descriptors) -> None:
        flags = LOOK if request.get("follow") else LOOK | os.O_NOFOLLOW
        found = descriptors.keep(open_path(self._path(request), flags))
        self._say({"entry": _entry(b"", os.fstat(found), found, b"")})

    def _list(self, request: _Request, descriptors: Descriptors) -> None:
        root = descriptors.keep(open_path(self._path(request), FOLDER))
        page: list[list[object]] = []
        room = _PAGE_CHARS
        for entry in _walk(root, frames.whole(request, "depth")):
            page.append(entry)
            room -= len(str(entry))
            if room < 0:
                self._say({"entries": page, "more": True})
                page, room = [], _PAGE_CHARS
        self._say({"entries": page, "more": False})

    def _remove(self, request: _Request, descriptors: Descriptors) -> None:
        folder, name = find_parent(self._path(request), descriptors)
        if not stat.S_ISDIR(look(folder, name).st_mode):
            os.unlink(name, dir_fd=folder)
        else:
            if request.get("recursive"):
                _clear(name, folder)
            os.rmdir(name, dir_fd=folder)
        self._say({})

    def _rename(self, request: _Request, descriptors: Descriptors) -> None:
        old_folder, old = find_parent(self._path(request, "old"), descriptors)
        moved = look(old_folder, old)
        folder, name = find_parent(self._path(request, "new"), descriptors, make=True)
        try:
            os.rename(old, name, src_dir_fd=old_folder, dst_dir_fd=folder)
        except OSError as error:
            # The work folder and /tmp are file systems of their own.
            if error.errno != errno.EXDEV or not stat.S_ISREG(moved.st_mode):
                raise
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            source = descriptors.keep(os.open(old, flags, dir_fd=old_folder))
            self._write = _Write(folder, name, moved.st_mode & 0o7777)
            while os.sendfile(self._write.file, source, None, 1 << 20):
                pass
            self._finish_write()
            os.unlink(old, dir_fd=old_folder)
        self._say({})

    def _mkdirs(self, request: _Request, descriptors: Descriptors) -> None:
        descriptors.keep(open_folder(HERE, self._path(request), make=True))
        self._say({})

    def _link(self, request: _Request, descriptors: Descriptors) -> None:
        folder, name = find_parent(self._path(request), descriptors, make=True)
        target = frames.text(request, "target").encode("utf-8", "surrogateescape")
        temporary = _temporary()
        os.symlink(target, temporary, dir_fd=folder)
        try:
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            _forget(temporary, folder)
            raise
        self._say({})


def _mode_of_file_there(folder: int, name: bytes) -> int:
    """The mode a rewritten file keeps; refuses what a plain write would refuse."""
    try:
        found = regular(look(folder, name))
    except FileNotFoundError:
        return 0o644
    if not os.access(name, os.W_OK, dir_fd=folder):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    return found.st_mode & 0o7777


def _copy_of_proc(file: int) -> int:
    """A file of /proc as it reads now: its size says 0, and it acts on the reader.

    Those of a process are refused: /proc/self would be this server.
    """
    with Descriptors() as descriptors:
        own = descriptors.keep(os.open(b"/proc/self/fd", LOOK))
        where = os.readlink(b"%d" % file, dir_fd=own)
    if where.removeprefix(b"/proc/")[:1].isdigit():
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    copy = os.memfd_create("proc", os.MFD_CLOEXEC)
    while os.fstat(copy).st_size < _PROC_COPY and (data := os.read(file, 64 << 10)):
        os.write(copy, data)
    os.lseek(copy, 0, os.SEEK_SET)
    return copy


def _walk(root: int, depth: int) -> Iterator[list[object]]:
    pending = [(b"", 1)]
    while pending:
        prefix, level = pending.pop(0)
        try:
            folder = root if level == 1 else open_path(prefix, _BELOW, root)
        except (FileNotFoundError, NotADirectoryError):
            continue  # removed while we walked
        try:
            for name in _names(folder):
                path = prefix + b"/" + name if prefix else name
                try:
                    found = look(folder, name)
                    yield _entry(path, found, folder, name)
                except FileNotFoundError:
                    continue
                if stat.S_ISDIR(found.st_mode) and level < depth:
                    pending.append((path, level + 1))
        finally:
            if level > 1:
                os.close(folder)


def _entry(path: bytes, found: os.stat_result, at: int, name: bytes) -> list[object]:
    kind, target = "other", None
    if stat.S_ISREG(found.st_mode):
        kind = "file"
    elif stat.S_ISDIR(found.st_mode):
        kind = "folder"
    elif stat.S_ISLNK(found.st_mode):
        kind, target = "link", _shown(os.readlink(name, dir_fd=at))
    mode = stat.S_IMODE(found.st_mode)
    return [_shown(path), kind, found.st_size, mode, found.st_mtime_ns, target]


def _clear(name: bytes, folder: int) -> None:
    inside = os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    try:
        for entry in _names(inside):
            if stat.S_ISDIR(look(inside, entry).st_mode):
                _clear(entry, inside)
                os.rmdir(entry, dir_fd=inside)
            else:
                os.unlink(entry, dir_fd=inside)
    finally:
        os.close(inside)


def _names(folder: int) -> list[bytes]:
    with os.scandir(folder) as entries:
        return sorted(os.fsencode(entry.name) for entry in entries)


def _temporary() -> bytes:
    return _TEMPORARY + os.urandom(8).hex().encode()


def _forget(name: bytes, folder: int) -> None:
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=folder)


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
