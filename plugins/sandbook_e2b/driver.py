"""How the driver is run in a sandbox of E2B: as one command, fed and heard."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio

from sandbook.drivers import Channel, ChannelClosed, DriverRefused, command

if TYPE_CHECKING:
    from e2b import AsyncSandbox

_PIECE = 512 << 10
_PING = 15.0
_END_TIMEOUT = 5.0


class DriverCommand:
    """The transport of a channel, over the SDK's commands."""

    def __init__(self, made: AsyncSandbox, channel: Channel) -> None:
        self._made = made
        self._channel = channel
        self._handle: Any = None
        self._tasks: list[asyncio.Task[None]] = []

    async def begin(self, *, workdir: str | None) -> None:
        """Start the driver, and wait for its first word."""
        self._handle = await self._made.commands.run(
            command(),
            background=True,
            stdin=True,
            timeout=0,  # it lives as long as we do, and says itself when it is over
            on_stdout=self._channel.hear,
            on_stderr=self._channel.hear_noise,
            retain_output=False,
        )
        # Tasks of their own: they serve whoever waits, in whatever scope.
        self._tasks = [
            asyncio.create_task(self._watch()),
            asyncio.create_task(self._ping()),
        ]
        try:
            box = self._made.sandbox_id
            await self._channel.begin(self, workdir=workdir, box=box)
        except ChannelClosed as error:
            # What it complained may come behind the news of its end.
            await asyncio.wait(self._tasks[:1], timeout=_END_TIMEOUT)
            raise DriverRefused(self._channel.noise) from error
        finally:
            if not self._channel.greeted:
                await self.aclose()

    async def _watch(self) -> None:
        """Hear of its end, in whichever way that comes."""
        try:
            with suppress(Exception):  # whatever it was, the way is closed
                await self._handle.wait()
        finally:
            self._channel.close()

    async def _ping(self) -> None:
        with suppress(ChannelClosed):
            while True:
                await asyncio.sleep(_PING)
                await self._channel.ping()

    async def send(self, data: bytes) -> None:
        """Write to its stdin, in order."""
        try:
            for place in range(0, len(data), _PIECE):
                piece = data[place : place + _PIECE]
                await self._made.commands.send_stdin(self._handle.pid, piece)
        except Exception as error:
            raise ChannelClosed from error

    async def aclose(self) -> None:
        """Close its stdin, and wait for its end."""
        watching, pinging = self._tasks
        pinging.cancel()
        with anyio.move_on_after(_END_TIMEOUT, shield=True):
            with suppress(Exception):  # the sandbox may be gone
                await self._handle.close_stdin()
            await asyncio.wait(self._tasks)
        if not watching.done():
            watching.cancel()
            await self._handle.disconnect()
