"""A sandbox as a driver's clients see it: a channel, opened again when it was lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, NoReturn, Protocol

import anyio

from sandbook.api import SandboxRef
from sandbook.drivers.channel import Channel, ChannelClosed
from sandbook.errors import ConnectionLost

_TRIES = 3


class Host(Protocol):
    """What the provider does for the driver."""

    @property
    def ref(self) -> SandboxRef:
        """The sandbox."""
        ...

    async def open_channel(self) -> Channel:
        """Start a driver; raises the contract's errors."""
        ...

    async def must_live(self, operation: str) -> None:
        """Raise `SandboxLost` where the sandbox has ended."""
        ...

    async def store(self, path: str, data: AsyncIterator[bytes]) -> None:
        """Write a file by the provider's own way, however large."""
        ...

    def load(self, path: str) -> AsyncIterator[bytes]:
        """Read a file by the provider's own way, however large."""
        ...


class Link:
    """The channel there is now, and how it is had again."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._channel: Channel | None = None
        self._opening = anyio.Lock()

    async def channel(self) -> Channel:
        """An open channel."""
        async with self._opening:
            if self._channel is None or self._channel.closed:
                self._channel = await self.host.open_channel()
            return self._channel

    async def call(
        self, asked: Mapping[str, object], *, operation: str, again: bool = True
    ) -> dict[str, Any]:
        """Ask something that has one answer; `again` = it may be asked twice."""

        async def once(channel: Channel) -> dict[str, Any]:
            return await channel.call(asked)

        return await self.surely(once, operation=operation, again=again)

    async def surely(
        self,
        use: Callable[[Channel], Awaitable[dict[str, Any]]],
        *,
        operation: str,
        again: bool = True,
    ) -> dict[str, Any]:
        """Use a channel, and another one where it was lost meanwhile."""
        for _ in range(_TRIES):
            try:
                return await use(await self.channel())
            except ChannelClosed:
                await self.host.must_live(operation)
                if not again:
                    break
        return self.lose(operation)

    def lose(self, operation: str) -> NoReturn:
        """Say that the way to the driver is lost."""
        ref = self.host.ref
        raise ConnectionLost(
            f"the connection to sandbox {ref.id!r} broke",
            provider=ref.provider,
            operation=operation,
            ref=ref,
            sent="maybe",
            remedy="the sandbox lives: attach to it and find the command by its key",
        )

    async def aclose(self) -> None:
        """Let the driver end."""
        if self._channel is not None:
            await self._channel.aclose()
