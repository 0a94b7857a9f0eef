"""Somebody at a terminal: reads all the time, types, waits for what is shown."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from sandbook.api import Chunk, ExecResult, Pty, PtyRequest, Sandbox
from sandbook.testing._kit import Kit


class Screen:
    """What a terminal has shown so far."""

    def __init__(self, pty: Pty, *, patience: float) -> None:
        """`patience` is how long `until` waits, seconds."""
        self.pty = pty
        self.shown = bytearray()
        self.chunks: list[Chunk] = []
        self.has_ended = False
        self._patience = patience
        self._more = anyio.Event()

    async def read(self, *, after: int = 0) -> None:
        """Collect everything until the program ends."""
        async for chunk in self.pty.output(after=after):
            self.shown += chunk.data
            self.chunks.append(chunk)
            self._tell()
        self.has_ended = True
        self._tell()

    async def until(self, text: bytes) -> None:
        """Wait until it is shown, in one piece."""
        with anyio.move_on_after(self._patience):
            while text not in self.shown and not self.has_ended:
                await self._more.wait()
        if text not in self.shown:
            seen = bytes(self.shown[-500:])
            raise AssertionError(f"{text!r} was not shown: {seen!r}")

    async def types(self, text: bytes) -> None:
        """Type it."""
        await self.pty.send(text)

    async def end(self) -> ExecResult:
        """Wait for the end of the program, everything it showed included."""
        while not self.has_ended:
            await self._more.wait()
        return await self.pty.wait()

    def _tell(self) -> None:
        self._more.set()
        self._more = anyio.Event()


@asynccontextmanager
async def watch(kit: Kit, pty: Pty, *, after: int = 0) -> AsyncGenerator[Screen]:
    """Read a terminal while the block runs."""
    screen = Screen(pty, patience=kit.options.patience)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: screen.read(after=after))
        yield screen
        tasks.cancel_scope.cancel()


async def open_pty(kit: Kit, box: Sandbox, *argv: str, **request: object) -> Pty:
    """A program in a terminal."""
    request.setdefault("key", kit.name("tty"))
    return await box.pty(PtyRequest(argv=argv, **request))  # type: ignore[arg-type]  # by name


@asynccontextmanager
async def sitting_at(
    kit: Kit, box: Sandbox, text: str, **request: object
) -> AsyncGenerator[Screen]:
    """A shell text in a new terminal, which is read while the block runs."""
    pty = await open_pty(kit, box, "sh", "-c", text, **request)
    async with watch(kit, pty) as screen:
        yield screen
