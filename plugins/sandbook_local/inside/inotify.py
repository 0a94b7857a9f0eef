"""What the kernel tells of the folders that are watched: inotify(7), and no more.

By hand, since a library cannot help here: its public interface is silent when the
kernel's queue was full, and to load it takes several times as long as all of this.
"""

from __future__ import annotations

import ctypes
import errno
import os
from struct import Struct

MODIFY = 0x0000_0002
MOVED_FROM = 0x0000_0040
MOVED_TO = 0x0000_0080
CREATE = 0x0000_0100
DELETE = 0x0000_0200
OVERFLOW = 0x0000_4000
IGNORED = 0x0000_8000
IS_FOLDER = 0x4000_0000

_ONLY_FOLDERS = 0x0100_0000
_NOT_WHAT_IS_UNLINKED = 0x0400_0000
_CHANGES = MODIFY | MOVED_FROM | MOVED_TO | CREATE | DELETE
_MASK = _CHANGES | _ONLY_FOLDERS | _NOT_WHAT_IS_UNLINKED
_HEAD = Struct("=iIII")  # watch, mask, cookie, bytes of the name
_BUFFER = 256 << 10

_libc = ctypes.CDLL(None, use_errno=True)


class Notice:
    """One entry of the kernel's queue; both halves of a move have the same `cookie`."""

    __slots__ = ("cookie", "mask", "name", "watch")

    def __init__(self, watch: int, mask: int, cookie: int, name: bytes) -> None:
        self.watch = watch
        self.mask = mask
        self.cookie = cookie
        self.name = name


class Inotify:
    """A queue of notices, and the folders that it hears of."""

    def __init__(self) -> None:
        self.descriptor = _check(_libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))

    def add(self, folder: int) -> int:
        """Hear of an open folder; the same number when it is heard of already.

        Not by its path: that may lead elsewhere by now.
        """
        path = b"/proc/self/fd/%d" % folder
        added = _libc.inotify_add_watch(self.descriptor, path, ctypes.c_uint32(_MASK))
        return _check(added)

    def remove(self, watch: int) -> None:
        """Hear no more of a folder; it may be gone already."""
        _libc.inotify_rm_watch(self.descriptor, watch)

    def read(self) -> list[Notice]:
        """What is there, oldest first; nothing when there is nothing."""
        try:
            data = os.read(self.descriptor, _BUFFER)
        except BlockingIOError:
            return []
        found: list[Notice] = []
        place = 0
        while place < len(data):
            watch, mask, cookie, length = _HEAD.unpack_from(data, place)
            place += _HEAD.size
            name = data[place : place + length].rstrip(b"\0")
            found.append(Notice(watch, mask, cookie, name))
            place += length
        return found


def _check(result: int) -> int:
    if result >= 0:
        return result
    number = ctypes.get_errno() or errno.EIO
    raise OSError(number, os.strerror(number))
