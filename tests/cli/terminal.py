"""The bare provider with terminals: each a real one, held by this process."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import anyio
from anyio import to_thread

from sandbook.api import (
    Captured,
    Chunk,
    EchoState,
    ExecResult,
    PtyRequest,
    SignalName,
)
from tests.providers.bare import BareProvider, capabilities
from tests.providers.bare_sandbox import BareSandbox
from tests.providers.bare_store import Record


class TerminalProvider(BareProvider):
    """Makes sandboxes with terminals."""

    def open(self, record: Record) -> BareSandbox:
        """The handle for a sandbox that is there."""
        return TerminalSandbox(self._store, record, capabilities(self._settings))


class TerminalSandbox(BareSandbox):
    """A bare sandbox in which `pty` works."""

    async def pty(self, request: PtyRequest) -> BarePty:
        """Start a program in a terminal of our own."""
        env = {**self.base_env(), "TERM": request.term, **request.env}
        pid, master = pty.fork()
        if pid == 0:
            # Ignored signals are inherited, and these tests may run in the background.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.chdir(self.workdir)
            os.execvpe(  # noqa: S606 - the shell is what is asked for
                request.argv[0], request.argv, env
            )
        made = BarePty(pid, master)
        await made.resize(cols=request.cols, rows=request.rows)
        return made


class BarePty:
    """The master of a terminal."""

    def __init__(self, pid: int, master: int) -> None:
        self.id = str(pid)
        self.pid: int | None = pid
        self._child = pid
        self._master = master

    async def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        """What is shown, until the program has ended."""
        while True:
            await anyio.wait_readable(self._master)
            try:
                data = os.read(self._master, 4096)
            except OSError:
                return
            after += 1
            now = datetime.now(UTC)
            yield Chunk(seq=after, stream="stdout", data=data, at=now)

    async def send(self, data: bytes) -> None:
        """Type."""
        os.write(self._master, data)

    async def resize(self, *, cols: int, rows: int) -> None:
        """Change its size."""
        size = struct.pack("HHHH", rows, cols, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    async def signal(self, name: SignalName) -> bool:
        """Signal the program."""
        os.kill(self._child, getattr(signal, f"SIG{name}"))
        return True

    async def echo(self) -> EchoState | None:
        """Not told here: the engine asks the sandbox."""
        return None

    async def hang_up(self) -> None:
        """HUP to its group."""
        os.killpg(self._child, signal.SIGHUP)

    async def wait(self) -> ExecResult:
        """Wait for its end."""
        _, status = await to_thread.run_sync(os.waitpid, self._child, 0)
        code = os.waitstatus_to_exitcode(status)
        return ExecResult(
            end="exited",
            code=code,
            stdout=Captured(),
            stderr=Captured(),
            seconds=0.0,
        )

    async def detach(self) -> None:
        """Nothing else knows of it."""
