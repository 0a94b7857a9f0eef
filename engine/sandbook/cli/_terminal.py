"""This terminal becomes that of a program in a sandbox."""

from __future__ import annotations

import os
import signal
import sys

import anyio

from sandbook.api import Pty, PtyRequest, Sandbox
from sandbook.cli import _tty
from sandbook.cli._script import code_of

LOGIN_SHELL = (
    "/bin/sh",
    "-c",
    "if command -v bash >/dev/null; then exec bash -l; fi; exec sh -l",
)


async def be_terminal(sandbox: Sandbox, key: str) -> int:
    """Show and type until the shell ends; its exit code."""
    screen = sys.stdout.fileno()
    cols, rows = _tty.size(screen)
    request = PtyRequest(
        argv=LOGIN_SHELL,
        key=key,
        cols=cols,
        rows=rows,
        term=os.environ.get("TERM", "xterm-256color"),
    )
    pty = await sandbox.pty(request)
    with _tty.raw(sys.stdin.fileno()):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_type, pty, sys.stdin.fileno())
            tasks.start_soon(_follow_size, pty, screen)
            async for chunk in pty.output():
                await _tty.show(screen, chunk.data)
            tasks.cancel_scope.cancel()
    return code_of(await pty.wait(), sandbox)


async def _type(pty: Pty, keyboard: int) -> None:
    async for data in _tty.keys(keyboard):
        await pty.send(data)
    # The window was closed.
    await pty.signal("TERM")


async def _follow_size(pty: Pty, screen: int) -> None:
    with anyio.open_signal_receiver(signal.SIGWINCH) as signals:
        async for _ in signals:
            cols, rows = _tty.size(screen)
            await pty.resize(cols=cols, rows=rows)
