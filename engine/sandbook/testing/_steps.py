"""Cancelling a call at a chosen point, where a clock would hit it by luck."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

import anyio

TRIES = 16
LAST = 8

_T = TypeVar("_T")


class Steps:
    """Counts how often a call waits; cancels `scope` while it waits for time `stop`."""

    def __init__(self, stop: int = 0, scope: anyio.CancelScope | None = None) -> None:
        self.count = 0
        self._stop = stop
        self._scope = scope

    async def take(self, call: Coroutine[Any, Any, _T]) -> _T:
        """Do the call, one wait after the other."""
        result: _T = await _Watched(call, self)
        return result

    def waits(self) -> None:
        """The call waits once more."""
        self.count += 1
        if self.count == self._stop and self._scope is not None:
            self._scope.cancel()

    def to_try(self) -> list[int]:
        """Waits to cancel at: the last ones, where most was made, and some before."""
        early = range(
            1, self.count - LAST, max(1, (self.count - LAST) // (TRIES - LAST))
        )
        late = range(max(1, self.count - LAST), self.count + 1)
        return sorted({*early, *late})


class _Watched:
    """A call as something to await that tells `steps` of every wait."""

    def __init__(self, call: Coroutine[Any, Any, _T], steps: Steps) -> None:
        self._call = call
        self._steps = steps

    def __await__(self) -> Generator[Any, Any, Any]:
        thrown: BaseException | None = None
        while True:
            try:
                waits_for = (
                    self._call.throw(thrown) if thrown else self._call.send(None)
                )
            except StopIteration as stop:
                return stop.value
            thrown = None
            self._steps.waits()
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001 - handed on to the call
                thrown = error
