"""Shows a recording in time, and obeys the keys of whoever watches."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import anyio
from anyio.lowlevel import checkpoint

from sandbook.recording import BEGINNING, Event, Start

Show = Callable[[str], Awaitable[None]]

PAUSE, STEP, NEXT, LEAVE = " ", ".", "]", "q"
INTERRUPT = "\x03"
_MOST_KEYS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long an interval lasts: shortened to `idle`, then `speed` times as fast."""

    speed: float = 1.0
    idle: float | None = None

    def of(self, interval: float) -> float:
        """Seconds to wait."""
        shown = interval if self.idle is None else min(interval, self.idle)
        return shown / self.speed


class LeftError(Exception):
    """Whoever watched has seen enough; `code` is that of the command."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code


class Player:
    """One showing of a recording.

    What lies before `start` is shown at once. Time is kept as the instant when the
    next event is due, so that a slow terminal delays nothing but itself; while paused,
    as what is left until then.
    """

    def __init__(
        self,
        events: Iterable[Event],
        *,
        show: Show,
        pace: Pace,
        start: Start = BEGINNING,
        pauses_at_markers: bool = False,
    ) -> None:
        self._events = events
        self._show = show
        self._pace = pace
        self._start = start
        self._pauses_at_markers = pauses_at_markers
        self._type, self._keys = anyio.create_memory_object_stream[str](_MOST_KEYS)
        self._due = 0.0
        self._left: float | None = None
        self._wants_marker = False

    def press(self, keys: str) -> None:
        """Keys were pressed; a person who presses very many at once loses some."""
        for key in keys:
            try:
                self._type.send_nowait(key)
            except anyio.WouldBlock:
                return

    async def play(self) -> None:
        """Show everything.

        Raises:
            LeftError: A key asked to end it.
        """
        with self._type, self._keys:
            self._due = time.monotonic()
            before = 0.0
            for number, event in enumerate(self._events):
                if number < self._start.index or self._wants_marker:
                    await self._pass_on()
                else:
                    since = max(before, self._start.at)
                    await self._reach(self._pace.of(event.at - since))
                before = event.at
                await self._tell(event)

    async def _tell(self, event: Event) -> None:
        if event.kind == "o":
            await self._show(event.data)
        elif event.kind == "m":
            self._wants_marker = False
            if self._pauses_at_markers and self._left is None:
                self._left = 0.0

    async def _pass_on(self) -> None:
        """Go on without waiting; a key can still end it."""
        self._due = time.monotonic()
        await checkpoint()
        if self._keys.statistics().current_buffer_used:
            self._obey(await self._keys.receive())

    async def _reach(self, wait: float) -> None:
        """Wait until the next event is due, or a key wants it now."""
        if self._left is None:
            self._due += wait
        else:
            self._left = wait
        while (left := self._remaining()) is None or left > 0:
            with anyio.move_on_after(left):
                if self._obey(await self._keys.receive()):
                    self._due = time.monotonic()
                    return

    def _remaining(self) -> float | None:
        return None if self._left is not None else self._due - time.monotonic()

    def _obey(self, key: str) -> bool:
        """Whether the next event is to be shown now."""
        if key in (LEAVE, INTERRUPT):
            raise LeftError(0 if key == LEAVE else 130)
        if key == PAUSE:
            self._toggle()
        elif key == NEXT:
            self._wants_marker = True
            return True
        return key == STEP and self._left is not None

    def _toggle(self) -> None:
        now = time.monotonic()
        if self._left is None:
            self._left = max(0.0, self._due - now)
        else:
            self._due = now + self._left
            self._left = None
