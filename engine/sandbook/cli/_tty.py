"""The terminal that this command was started in: its keys, its size, what it shows."""

from __future__ import annotations

import os
import termios
import tty
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager

import anyio

_PIECE = 1 << 14


@contextmanager
def raw(terminal: int) -> Generator[None]:
    """Every key goes to the program, Ctrl-C too; the terminal is given back as it was.

    What is shown goes out as it is: a line feed does not begin the line.
    """
    before = termios.tcgetattr(terminal)
    try:
        tty.setraw(terminal, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


@contextmanager
def unprocessed(terminal: int) -> Generator[None]:
    """Only what is shown goes out as it is; keys mean what they always mean."""
    before = termios.tcgetattr(terminal)
    modes = termios.tcgetattr(terminal)
    modes[1] &= ~termios.OPOST
    modes[3] &= ~termios.ECHO
    try:
        termios.tcsetattr(terminal, termios.TCSADRAIN, modes)
        yield
    finally:
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
    """Show all of it, waiting for a slow terminal."""
    while data:
        try:
            data = data[os.write(screen, data) :]
        except BlockingIOError:
            await anyio.wait_writable(screen)


def size(screen: int) -> tuple[int, int]:
    """Columns and rows; where what is shown goes elsewhere, any size will do."""
    try:
        found = os.get_terminal_size(screen)
    except OSError:
        return 80, 24
    return found.columns or 80, found.lines or 24
