"""Time that stands still while a machine is paused."""

from __future__ import annotations

import anyio


class WakingTime:
    """The time that a machine has been awake."""

    def __init__(self) -> None:
        self._is_paused = False
        self._changed = anyio.Event()

    def pause(self) -> None:
        """Let it stand still."""
        self._turn(is_paused=True)

    def resume(self) -> None:
        """Let it go on."""
        self._turn(is_paused=False)

    async def sleep(self, seconds: float) -> None:
        """Wait for so many waking seconds."""
        left = seconds
        while left > 0:
            changed = self._changed
            if self._is_paused:
                await changed.wait()
                continue
            began = anyio.current_time()
            with anyio.move_on_after(left):
                await changed.wait()
            left -= anyio.current_time() - began

    def _turn(self, *, is_paused: bool) -> None:
        self._is_paused = is_paused
        self._changed.set()
        self._changed = anyio.Event()
