"""A terminal in a local sandbox: a program whose only stream is a terminal."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sandbook.api import Chunk, EchoState, ExecResult, SignalName
from sandbook_local.inside import terminal
from sandbook_local.process import LocalProcess


class LocalPty:
    """A terminal; its id is the key of its program, so others find it by that."""

    def __init__(self, process: LocalProcess) -> None:
        self._process = process
        self.id = process.key
        self.pid = process.pid

    def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        """Everything it showed with `seq` above `after`, as far as it is kept."""
        return self._process.output(after=after)

    async def send(self, data: bytes) -> None:
        """Type."""
        await self._process.send(data)

    async def resize(self, *, cols: int, rows: int) -> None:
        """Change its size; the program gets SIGWINCH."""
        descriptor = await self._process.input_descriptor()
        terminal.resize(descriptor, cols=cols, rows=rows)

    async def echo(self) -> EchoState | None:
        """What becomes of what is typed now: our end of a terminal knows its modes."""
        return terminal.echo(await self._process.input_descriptor())

    async def signal(self, name: SignalName) -> bool:
        """Signal its tree; False = it had already ended."""
        return await self._process.signal(name)

    async def hang_up(self) -> None:
        """End its program as a window does that is closed."""
        await self._process.hang_up()

    async def wait(self) -> ExecResult:
        """Wait for its end."""
        return await self._process.wait()

    async def detach(self) -> None:
        """Leave; the program runs on."""
        await self._process.detach()
