"""Decides what a path means inside a sandbox.

The kernel resolves it, in the sandbox's own view and with the rights of its user; a
link of /proc that jumps to an open descriptor is refused on the way. Standard library
only.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import struct

LINKS = 40
HERE = -100  # AT_FDCWD
_OPENAT2 = 437  # the same on every machine type
_NO_MAGICLINKS = 0x02
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
LOOK = os.O_PATH | os.O_CLOEXEC

_libc = ctypes.CDLL(None, use_errno=True)


class Descriptors:
    """Closes what it was given, also when the request fails halfway."""

    def __init__(self) -> None:
        self._open: list[int] = []

    def __enter__(self) -> Descriptors:  # noqa: PYI034 (typing takes 5 ms to load)
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._open:
            os.close(descriptor)

    def keep(self, descriptor: int) -> int:
        self._open.append(descriptor)
        return descriptor


def open_path(path: bytes, flags: int, at: int = HERE) -> int:
    """Open a path in the sandbox's view; ELOOP for a link of /proc that jumps."""
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, 0, _NO_MAGICLINKS)
    while True:
        opened: int = _libc.syscall(
            ctypes.c_long(_OPENAT2),
            ctypes.c_int(at),
            ctypes.c_char_p(path),
            ctypes.c_char_p(how),
            ctypes.c_size_t(len(how)),
        )
        if opened >= 0:
            return opened
        number = ctypes.get_errno()
        if number == errno.ENOSYS:
            return open_by_hand(path, flags, at)
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))


def open_by_hand(path: bytes, flags: int, at: int = HERE) -> int:
    """Do what `open_path` does where the kernel or a filter has no openat2.

    Slower, and a link swapped in between two looks can lead elsewhere, though never
    further than the sandbox's own user gets.
    """
    start = b"/" if path.startswith(b"/") else b"."
    here = os.open(start, LOOK, dir_fd=None if at == HERE else at)
    parts = [part for part in path.split(b"/") if part not in (b"", b".")]
    links = 0
    try:
        while parts:
            name = parts.pop(0)
            last_as_is = not parts and bool(flags & os.O_NOFOLLOW)
            link = None if last_as_is else read_link(here, name)
            if link is None:
                if not parts:
                    return os.open(name, flags | os.O_NOFOLLOW, dir_fd=here)
                start = name
            elif (links := links + 1) > LINKS or _jumps(here, name):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            else:
                parts = [p for p in link.split(b"/") if p not in (b"", b".")] + parts
                start = b"/" if link.startswith(b"/") else b"."
            following = os.open(start, LOOK | os.O_DIRECTORY, dir_fd=here)
            os.close(here)
            here = following
        return os.open(b".", flags, dir_fd=here)
    finally:
        os.close(here)


def _jumps(folder: int, name: bytes) -> bool:
    # /proc/self and /proc/thread-self are text; the other links of /proc that are
    # not found below it as text lead straight to an open file.
    if os.fstat(folder).st_dev != proc_device():
        return False
    return name not in (b"self", b"thread-self", b"mounts", b"net")


def find_target(path: bytes, descriptors: Descriptors) -> tuple[int, bytes]:
    """Where a shell's `>` would write: links at the end are followed, parents made."""
    at = HERE
    for _ in range(LINKS):
        head, name = os.path.split(path)
        if name in (b"", b".", b".."):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        at = descriptors.keep(open_folder(at, head or b".", make=True))
        link = read_link(at, name)
        if link is None:
            return at, name
        _refuse_jump(at, name)
        path = link
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _refuse_jump(folder: int, name: bytes) -> None:
    # A dangling link is fine: writing makes what it points to.
    with contextlib.suppress(FileNotFoundError):
        os.close(open_path(name, LOOK, folder))


def find_parent(
    path: bytes, descriptors: Descriptors, *, make: bool = False
) -> tuple[int, bytes]:
    """The folder of an entry, and its name; a link at the end is the entry itself."""
    head, name = os.path.split(path.rstrip(b"/"))
    if name in (b"", b".", b".."):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
    return descriptors.keep(open_folder(HERE, head or b"/", make=make)), name


def open_folder(at: int, path: bytes, *, make: bool) -> int:
    try:
        return open_path(path, LOOK | os.O_DIRECTORY, at)
    except FileNotFoundError:
        head, name = os.path.split(path.rstrip(b"/"))
        if not make or not name:
            raise
    above = open_folder(at, head or b".", make=True)
    try:
        os.mkdir(name, 0o755, dir_fd=above)
    except FileExistsError:
        pass
    finally:
        os.close(above)
    return open_path(path, LOOK | os.O_DIRECTORY, at)


def read_link(folder: int, name: bytes) -> bytes | None:
    try:
        return os.readlink(name, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return None


def look(folder: int, name: bytes) -> os.stat_result:
    return os.stat(name, dir_fd=folder, follow_symlinks=False)


def regular(found: os.stat_result) -> os.stat_result:
    if stat.S_ISDIR(found.st_mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))
    return found


def proc_device() -> int:
    try:
        return os.stat(b"/proc/self/.").st_dev  # noqa: PTH116 (pathlib is slow to load)
    except OSError:
        return -1
