"""This terminal becomes that of a program in a sandbox."""

from __future__ import annotations

import os
import signal
import sys
import termios
import tty
from collections.abc import Generator
from contextlib import contextmanager

import anyio

from sandbook.api import Pty, PtyRequest, Sandbox
from sandbook.cli._script import code_of

LOGIN_SHELL = (
    "/bin/sh",
    "-c",
    "if command -v bash >/dev/null; then exec bash -l; fi; exec sh -l",
)
_PIECE = 1 << 14


async def be_terminal(sandbox: Sandbox, key: str) -> int:
    """Show and type until the shell ends; its exit code."""
    screen = sys.stdout.fileno()
    cols, rows = _size(screen)
    request = PtyRequest(
        argv=LOGIN_SHELL,
        key=key,
        cols=cols,
        rows=rows,
        term=os.environ.get("TERM", "xterm-256color"),
    )
    pty = await sandbox.pty(request)
    with _raw(sys.stdin.fileno()):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_type, pty, sys.stdin.fileno())
            tasks.start_soon(_follow_size, pty, screen)
            async for chunk in pty.output():
                await _show(screen, chunk.data)
            tasks.cancel_scope.cancel()
    return code_of(await pty.wait(), sandbox)


@contextmanager
def _raw(keyboard: int) -> Generator[None]:
    """Every key goes to the sandbox, Ctrl-C too; given back as it was."""
    before = termios.tcgetattr(keyboard)
    try:
        tty.setraw(keyboard, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


async def _type(pty: Pty, keyboard: int) -> None:
    while True:
        await anyio.wait_readable(keyboard)
        data = os.read(keyboard, _PIECE)
        if not data:
            # The window was closed.
            await pty.signal("TERM")
            return
        await pty.send(data)


async def _follow_size(pty: Pty, screen: int) -> None:
    with anyio.open_signal_receiver(signal.SIGWINCH) as signals:
        async for _ in signals:
            cols, rows = _size(screen)
            await pty.resize(cols=cols, rows=rows)


async def _show(screen: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(screen, data) :]
        except BlockingIOError:
            await anyio.wait_writable(screen)


def _size(screen: int) -> tuple[int, int]:
    try:
        size = os.get_terminal_size(screen)
    except OSError:
        # What is shown goes elsewhere; any size will do.
        return 80, 24
    return size.columns or 80, size.lines or 24
