"""Terminals, made on the supervisor's side of a sandbox's own `/dev/pts`."""

from __future__ import annotations

import fcntl
import os
from struct import Struct

_TIOCSPTLCK = 0x40045431
_TIOCGPTPEER = 0x5441
_TIOCSWINSZ = 0x5414
_SIZE = Struct("=HHHH")  # rows, columns, and two that nobody uses
_LOCK = Struct("=i")


def open_terminal(folder: int, *, cols: int, rows: int) -> tuple[int, int]:
    """Both ends of a new terminal of the sandbox whose `/dev/pts` is `folder`.

    The program's end comes by descriptor and not by name: names belong to the
    sandbox.
    """
    flags = os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC
    ours = os.open("ptmx", flags, dir_fd=folder)
    try:
        fcntl.ioctl(ours, _TIOCSPTLCK, _LOCK.pack(0))
        resize(ours, cols=cols, rows=rows)
        theirs = fcntl.ioctl(ours, _TIOCGPTPEER, flags)
    except BaseException:
        os.close(ours)
        raise
    return ours, theirs


def resize(descriptor: int, *, cols: int, rows: int) -> None:
    """Give a terminal another size; the kernel tells its program."""
    fcntl.ioctl(descriptor, _TIOCSWINSZ, _SIZE.pack(rows, cols, 0, 0))
