"""This terminal becomes that of a program in a sandbox."""

from __future__ import annotations

import os
import signal
import sys
from typing import Protocol

import anyio

from sandbook.api import EchoState, ExecResult, Pty, PtyRequest, Sandbox
from sandbook.cli import _tty
from sandbook.cli._script import code_of
from sandbook.errors import UsageError

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
    return code_of(await converse(pty), sandbox)


class Watcher(Protocol):
    """Somebody who is told what happens at a terminal, in order."""

    def shown(self, data: bytes) -> None:
        """The program showed this."""
        ...

    def typed(self, data: bytes, echo: EchoState | None) -> None:
        """The person types this, of which the terminal will make that."""
        ...

    def resized(self, cols: int, rows: int) -> None:
        """The window has another size, and the terminal with it."""
        ...


async def converse(
    pty: Pty, *, watcher: Watcher | None = None, follows_size: bool = True
) -> ExecResult:
    """Be the terminal of a program until it ends; how it ended."""
    keyboard, screen = sys.stdin.fileno(), sys.stdout.fileno()
    with _tty.raw(keyboard):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_type, pty, keyboard, watcher)
            tasks.start_soon(_hang_up_when_told, pty)
            if follows_size:
                tasks.start_soon(_follow_size, pty, screen, watcher)
            async for chunk in pty.output():
                if watcher is not None:
                    watcher.shown(chunk.data)
                await _tty.show(screen, chunk.data)
            tasks.cancel_scope.cancel()
    return await pty.wait()


async def _type(pty: Pty, keyboard: int, watcher: Watcher | None) -> None:
    async for data in _tty.keys(keyboard):
        try:
            if watcher is not None:
                watcher.typed(data, await pty.echo())
            await pty.send(data)
        except UsageError:
            # It has ended, and what it showed last is on its way.
            return
    # The window was closed.
    await pty.hang_up()


async def _hang_up_when_told(pty: Pty) -> None:
    """End the program when this command is to end: its end gives the terminal back."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGHUP) as signals:
        async for _ in signals:
            await pty.hang_up()


async def _follow_size(pty: Pty, screen: int, watcher: Watcher | None) -> None:
    with anyio.open_signal_receiver(signal.SIGWINCH) as signals:
        async for _ in signals:
            cols, rows = _tty.size(screen)
            if watcher is not None:
                watcher.resized(cols, rows)
            await pty.resize(cols=cols, rows=rows)
