"""When the way to a sandbox breaks in mid-run: it is looked for again for 30 seconds.

Decides what counts as a broken way, how long and how often it is tried again, and when
the sandbox is given up. What may be asked a second time is decided in `_lasting`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import NoReturn, TypeVar

import anyio

from sandbook.api import Provider, Sandbox
from sandbook.errors import (
    Busy,
    ConnectionLost,
    ProviderError,
    RateLimited,
    SandboxGone,
    SandboxLost,
    Unreachable,
)

WITHIN = 30.0
"""Seconds from the first loss until the sandbox is given up."""
_FIRST_PAUSE = 0.2
_DOUBLINGS = 4
_CLOSE_TIMEOUT = 2.0

Lost = (ConnectionLost, SandboxLost)
_AWAY = (Unreachable, Busy, RateLimited)
"""What a service says that may be back in a moment."""
_T = TypeVar("_T")


@dataclass(slots=True)
class Outage:
    """What one call has met so far; it begins with the first loss."""

    began: float | None = None
    losses: int = 0
    was_gone: bool = False

    def over(self) -> None:
        """Something came through."""
        self.began, self.losses, self.was_gone = None, 0, False

    def begin(self) -> None:
        """It broke (again)."""
        self.began = monotonic() if self.began is None else self.began
        self.losses += 1

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return 0.0 if self.began is None else monotonic() - self.began

    @property
    def left(self) -> float:
        """Seconds until it is given up."""
        return WITHIN - self.seconds

    @property
    def pause(self) -> float:
        """Seconds to wait before the next try; the first follows at once."""
        if self.losses <= 1:
            return 0.0
        doubled = min(self.losses - 2, _DOUBLINGS)
        return max(0.0, min(_FIRST_PAUSE * 2.0**doubled, self.left))


@dataclass(slots=True, kw_only=True)
class Line:
    """The way to one sandbox: `sandbox` is the handle that is believed to work.

    `note` is told in words when the way was found again.
    """

    provider: Provider
    sandbox: Sandbox
    note: Callable[[str], None]
    _lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def surely(self, use: Callable[[Sandbox], Awaitable[_T]]) -> _T:
        """Do it, and do it again where the way broke meanwhile."""
        outage = Outage()
        while True:
            sandbox = self.sandbox
            try:
                return await use(sandbox)
            except Lost as error:
                await self.again(sandbox, error, outage)

    async def again(
        self, lost: Sandbox, error: ConnectionLost | SandboxLost, outage: Outage
    ) -> None:
        """Find the way again; all who lost the same handle wait for one of them.

        Raises:
            ConnectionLost: It was no broken way, or stayed broken for 30 seconds.
            SandboxLost: The sandbox has ended.
        """
        if _is_answer(error) or (outage.was_gone and isinstance(error, SandboxLost)):
            raise error
        outage.begin()
        outage.was_gone = isinstance(error, SandboxLost)
        async with self._lock:
            if self.sandbox is lost:
                await self._attach(lost, error, outage)

    async def _attach(
        self, lost: Sandbox, error: ConnectionLost | SandboxLost, outage: Outage
    ) -> None:
        while outage.left > 0:
            await anyio.sleep(outage.pause)
            try:
                with anyio.fail_after(outage.left):
                    fresh = await self.provider.attach(lost.ref)
            except SandboxGone as gone:
                raise _as_gone(error, gone) from gone
            except (ConnectionLost, *_AWAY) as later:
                error = _as_lost(later)
                outage.begin()
            except TimeoutError:
                break
            else:
                await self._use(fresh, lost, after=outage.seconds)
                return
        _give_up(error)

    async def _use(self, fresh: Sandbox, lost: Sandbox, *, after: float) -> None:
        self.sandbox = fresh
        self.note(
            f"the connection to sandbox {lost.ref.id} broke; it was found again "
            f"after {after:.1f} s"
        )
        with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True), suppress(ProviderError):
            await lost.aclose()


def _is_answer(error: ConnectionLost | SandboxLost) -> bool:
    """Whether the other side said it itself: then nothing is broken between us."""
    return isinstance(error, ConnectionLost) and error.sent == "yes"


def _give_up(error: ConnectionLost | SandboxLost) -> NoReturn:
    raise ConnectionLost(
        f"{error.message}; it was not found again within {WITHIN:.0f} s",
        provider=error.provider,
        operation=error.operation,
        ref=error.ref,
        sent="maybe",
        remedy="see whether the service is up (`sandbook providers`), then run again",
    ) from error


def _as_lost(error: ProviderError) -> ConnectionLost:
    """In mid-run a service that cannot be asked is a way that is broken."""
    if isinstance(error, ConnectionLost):
        return error
    return ConnectionLost(
        error.message,
        provider=error.provider,
        operation=error.operation,
        ref=error.ref,
        sent="maybe",
        remedy=error.remedy,
    )


def _as_gone(error: ConnectionLost | SandboxLost, gone: SandboxGone) -> SandboxLost:
    if isinstance(error, SandboxLost):
        return error
    return SandboxLost(
        gone.message,
        provider=gone.provider,
        operation=error.operation,
        ref=error.ref,
        remedy=gone.remedy,
    )
