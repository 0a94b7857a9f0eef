"""Terminals of commands."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import termios
from typing import Any

_SIZE = struct.Struct("=HHHH")  # rows, columns, and two that nobody uses


def start(request: dict[str, Any]) -> tuple[subprocess.Popen[bytes], int]:
    """Start a program in a terminal of its own; our end of it."""
    ours, theirs = os.openpty()
    os.set_inheritable(ours, False)
    resize(ours, **request["pty"])

    def take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    try:
        child = subprocess.Popen(  # noqa: S603 - what is asked for
            request["argv"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=request["env"],
            cwd=request["cwd"],
            start_new_session=True,
            preexec_fn=take_terminal,  # noqa: PLW1509 - there are no threads
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return child, ours


def resize(descriptor: int, *, cols: int, rows: int) -> None:
    """Give a terminal another size; the kernel tells its program."""
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, _SIZE.pack(rows, cols, 0, 0))


def echo(descriptor: int) -> str:
    """What a terminal does with what is typed, by the modes its program has set."""
    modes: int = termios.tcgetattr(descriptor)[3]
    if modes & termios.ECHO:
        return "shown"
    return "hidden" if modes & termios.ICANON else "program"
