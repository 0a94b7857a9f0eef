"""Who is told what a program does, as it happens."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

import anyio

Stream = Literal["stdout", "stderr", "pty"]

_BEHIND = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Something it wrote."""

    stream: Stream
    data: bytes


@dataclass(frozen=True, slots=True)
class Expired:
    """Its deadline is over; its end follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Its end: an exit code, or the number of the signal that killed it."""

    code: int | None
    signal: int | None


Event: TypeAlias = Output | Expired | Ended


class Listener:
    """Takes events; a program waits for a listener that is `_BEHIND` events behind."""

    def __init__(self) -> None:
        self._past: list[Event] = []
        send, receive = anyio.create_memory_object_stream[Event](_BEHIND)
        self._send, self._receive = send, receive

    def __enter__(self) -> Self:
        """Listen for as long as the block lasts."""
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        self._receive.close()
        self._send.close()

    def begin_with(self, past: Sequence[Event]) -> None:
        """What happened before it came."""
        self._past = list(past)

    def end_with(self, end: Ended) -> None:
        """It came too late for all but this."""
        self._past.append(end)
        self.end()

    async def put(self, event: Event) -> bool:
        """Tell it; False = it does not listen any more."""
        try:
            await self._send.send(event)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return False
        return True

    def end(self) -> None:
        """There will be no more."""
        self._send.close()

    async def events(self, *, silence: float = math.inf) -> AsyncIterator[Event | None]:
        """What happens, to its end; None after each `silence` seconds of nothing."""
        for event in self._past:
            yield event
        while True:
            heard: Event | None = None
            with anyio.move_on_after(silence):
                try:
                    heard = await self._receive.receive()
                except anyio.EndOfStream:
                    return
            yield heard
