"""How the driver is run in a sandbox of E2B: as one command, fed and heard."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

import anyio

from sandbook.drivers import Channel, ChannelClosed, DriverRefused, command
from sandbook_e2b.bulk import patience_of

if TYPE_CHECKING:
    from e2b import AsyncSandbox

_PIECE = 512 << 10
_END_TIMEOUT = 5.0
_ENDED = ("NotFoundException", "SandboxException")
"""What writing to a program that has ended raises, among other things."""


class DriverCommand:
    """The transport of a channel, over the SDK's commands."""

    def __init__(self, made: AsyncSandbox, channel: Channel) -> None:
        self._made = made
        self._channel = channel
        self._patience = patience_of(made)
        self._handle: Any = None
        self._tasks: list[asyncio.Task[None]] = []
        self._broken: Exception | None = None
        self._has_ended = False

    async def begin(self, *, workdir: str | None) -> None:
        """Start the driver, and wait for its first word.

        Raises:
            DriverRefused: It ended, or said nothing.
            Exception: What the SDK raised, where the way to it broke.
        """
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
        except (ChannelClosed, DriverRefused) as error:
            if self._channel.greeted:
                raise
            # What it complained may come behind the news of its end.
            if self._may_have_ended():
                await asyncio.wait(self._tasks[:1], timeout=_END_TIMEOUT)
            self._refuse(error)
        finally:
            if not self._channel.greeted:
                await self.aclose()

    def _may_have_ended(self) -> bool:
        """Whether its own end is what closed the channel, and not the way to it."""
        told = type(self._broken).__name__
        return self._channel.closed and (self._broken is None or told in _ENDED)

    def _refuse(self, error: Exception) -> NoReturn:
        """Tell a sandbox that cannot run it from a way to it that broke."""
        if self._broken is not None and not self._has_ended:
            raise self._broken from error
        if not self._has_ended and not self._channel.noise:
            raise TimeoutError("the driver says nothing") from error
        raise DriverRefused(self._channel.noise) from error

    async def _watch(self) -> None:
        """Hear of its end, in whichever way that comes."""
        try:
            await self._handle.wait()
            self._has_ended = True
        except Exception as error:  # noqa: BLE001 - whatever it was, the way is closed
            # A program's exit code is an exception in the SDK.
            self._has_ended = hasattr(error, "exit_code")
            if not self._has_ended:
                self._broken = error
        finally:
            self._channel.close()

    async def _ping(self) -> None:
        """Say that we are here; a stream that stays silent has broken unheard."""
        try:
            await self._channel.keep(patience=self._patience)
        except ChannelClosed:
            self._tasks[0].cancel()
            await self._handle.disconnect()

    async def send(self, data: bytes) -> None:
        """Write to its stdin, in order."""
        try:
            for place in range(0, len(data), _PIECE):
                piece = data[place : place + _PIECE]
                await self._made.commands.send_stdin(self._handle.pid, piece)
        except Exception as error:
            self._broken = error
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
