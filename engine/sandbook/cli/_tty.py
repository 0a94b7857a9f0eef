"""The terminal that this command was started in: its keys, its size, what it shows."""

from __future__ import annotations

import errno
import os
import termios
import tty
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager, suppress

import anyio

_PIECE = 1 << 14


@contextmanager
def raw(terminal: int) -> Generator[None]:
    """Every key goes to the program, Ctrl-C too; the terminal is given back as it was.

    What is shown goes out as it is: a line feed does not begin the line.
    """
    with _given_back(terminal):
        tty.setraw(terminal, termios.TCSADRAIN)
        yield


@contextmanager
def unprocessed(terminal: int) -> Generator[None]:
    """Only what is shown goes out as it is; keys mean what they always mean."""
    with _given_back(terminal):
        modes = termios.tcgetattr(terminal)
        modes[1] &= ~termios.OPOST
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(terminal, termios.TCSADRAIN, modes)
        yield


@contextmanager
def _given_back(terminal: int) -> Generator[None]:
    before = termios.tcgetattr(terminal)
    try:
        yield
    finally:
        # Of a window that was closed there is nothing to give back.
        with suppress(termios.error):
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


async def keys(keyboard: int) -> AsyncIterator[bytes]:
    """What is typed, as it comes; ends when the window is closed."""
    while True:
        await anyio.wait_readable(keyboard)
        try:
            data = os.read(keyboard, _PIECE)
        except OSError:
            return
        if not data:
            return
        yield data


async def show(screen: int, data: bytes) -> None:
    """Show all of it, waiting for a slow terminal; nothing in a window that is gone."""
    while data:
        try:
            data = data[os.write(screen, data) :]
        except BlockingIOError:
            await anyio.wait_writable(screen)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return


def size(screen: int) -> tuple[int, int]:
    """Columns and rows; where what is shown goes elsewhere, any size will do."""
    try:
        found = os.get_terminal_size(screen)
    except OSError:
        return 80, 24
    return found.columns or 80, found.lines or 24
