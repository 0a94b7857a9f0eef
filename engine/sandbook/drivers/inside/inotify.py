"""What the kernel tells of folders: inotify(7), by the C library that is there."""

from __future__ import annotations

import ctypes
import os
import struct

MODIFY = 0x2
MOVED_FROM = 0x40
MOVED_TO = 0x80
CREATE = 0x100
DELETE = 0x200
OVERFLOW = 0x4000
IGNORED = 0x8000
IS_FOLDER = 0x40000000

_ONLY_FOLDERS = 0x01000000
_NOT_WHAT_IS_UNLINKED = 0x04000000
_WANTED = MODIFY | MOVED_FROM | MOVED_TO | CREATE | DELETE
_MASK = _WANTED | _ONLY_FOLDERS | _NOT_WHAT_IS_UNLINKED
_HEAD = struct.Struct("=iIII")  # watch, mask, cookie, bytes of the name
_BUFFER = 256 << 10


class Notice:
    """What happened to one name; the two halves of a move share a `cookie`."""

    __slots__ = ("cookie", "mask", "name", "watch")

    def __init__(self, watch: int, mask: int, cookie: int, name: bytes) -> None:
        self.watch = watch
        self.mask = mask
        self.cookie = cookie
        self.name = name


class Inotify:
    """A queue of notices; raises `OSError` where the kernel has none to give."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        flags = os.O_CLOEXEC | os.O_NONBLOCK
        self.descriptor = _checked(self._libc.inotify_init1(flags))

    def add(self, folder: int) -> int:
        """Hear of an open folder: its path may lead elsewhere by now."""
        path = b"/proc/self/fd/%d" % folder
        mask = ctypes.c_uint32(_MASK)
        return _checked(self._libc.inotify_add_watch(self.descriptor, path, mask))

    def remove(self, watch: int) -> None:
        """Hear of it no more; it may be gone already."""
        self._libc.inotify_rm_watch(self.descriptor, watch)

    def read(self) -> list[Notice]:
        """What has come in, oldest first."""
        try:
            data = os.read(self.descriptor, _BUFFER)
        except BlockingIOError:
            return []
        found: list[Notice] = []
        place = 0
        while place < len(data):
            watch, mask, cookie, size = _HEAD.unpack_from(data, place)
            place += _HEAD.size
            name = data[place : place + size].rstrip(b"\0")
            found.append(Notice(watch, mask, cookie, name))
            place += size
        return found


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
