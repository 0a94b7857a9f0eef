"""The supervisor's one thread: descriptors and deadlines, nothing else."""

from __future__ import annotations

import heapq
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

READ = select.EPOLLIN
WRITE = select.EPOLLOUT

_LONGEST_SLEEP = 5.0
"""Seconds. The kernel's wait does not count a computer's sleep, our clock does."""


def now() -> float:
    """Seconds on a clock that no setting moves and that counts sleep."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Timer:
    """A call that is to come; `cancel` it when it is not wanted any more."""

    __slots__ = ("call", "deadline")

    def __init__(self, deadline: float, call: Callable[[], None]) -> None:
        self.deadline = deadline
        self.call: Callable[[], None] | None = call

    def __lt__(self, other: Timer) -> bool:
        return self.deadline < other.deadline

    def cancel(self) -> None:
        """Forget it."""
        self.call = None


class Loop:
    """Calls back when a descriptor is ready or a deadline has come."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._calls: dict[int, Callable[[int], None]] = {}
        self._timers: list[Timer] = []
        self._running = True

    def watch(self, descriptor: int, events: int, call: Callable[[int], None]) -> None:
        """Call `call` with the events whenever there are some."""
        self._calls[descriptor] = call
        self._epoll.register(descriptor, events)

    def change(self, descriptor: int, events: int) -> None:
        """Wait for other events."""
        self._epoll.modify(descriptor, events)

    def forget(self, descriptor: int) -> None:
        """Stop watching; must come before the descriptor is closed."""
        if self._calls.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def call_at(self, deadline: float, call: Callable[[], None]) -> Timer:
        """Call `call` once, at or soon after `deadline` on `now()`."""
        timer = Timer(deadline, call)
        heapq.heappush(self._timers, timer)
        return timer

    def stop(self) -> None:
        """Let `run` return."""
        self._running = False

    def run(self) -> None:
        """Serve until `stop`."""
        while self._running:
            for descriptor, events in self._epoll.poll(self._pause()):
                call = self._calls.get(descriptor)
                if call is not None:
                    call(events)
            self._ring()

    def _pause(self) -> float:
        while self._timers and self._timers[0].call is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return _LONGEST_SLEEP
        return min(max(self._timers[0].deadline - now(), 0.0), _LONGEST_SLEEP)

    def _ring(self) -> None:
        moment = now()
        while self._timers and self._timers[0].deadline <= moment:
            call = heapq.heappop(self._timers).call
            if call is not None:
                call()
