"""Terminals, made on the supervisor's side of a sandbox's own `/dev/pts`."""

from __future__ import annotations

import fcntl
import os
import termios
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

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


def echo(descriptor: int) -> Literal["shown", "hidden", "program"]:
    """What a terminal does with what is typed, by the modes its program has set."""
    modes: int = termios.tcgetattr(descriptor)[3]
    if modes & termios.ECHO:
        return "shown"
    return "hidden" if modes & termios.ICANON else "program"
