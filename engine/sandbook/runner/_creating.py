"""One create at one provider: tried again, looked up, and settled in the ledger.

Decides how often a provider that cannot serve now is asked again (contract.md §4), and
what a create has come to whose reply was lost. Nobody else may be asked before that is
known: there could be two sandboxes then, of which one is paid for and forgotten.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import anyio

from sandbook.api import Provider, Sandbox, SandboxInfo, SandboxRef, SandboxSpec
from sandbook.errors import (
    Busy,
    CreateUnknown,
    ProviderError,
    RateLimited,
    SandbookError,
    SandboxGone,
    TeardownFailed,
    Unreachable,
)
from sandbook.runner._reservations import Reservations, Reserved

FURTHER_TRIES = 2
LONGEST_WAIT = 10.0
"""Seconds that a service may ask us to wait; beyond that another provider is tried."""
_USUAL_WAIT = 1.0
_SETTLE_TIMEOUT = 30.0
LOOKS = (0.0, 0.5, 1.5)
"""Pauses before each look: what was lost may be in the making."""
_LOOK_TIMEOUT = 15.0


class UndecidedError(Exception):
    """There may be a sandbox, and nobody could be asked: no other provider is tried."""

    def __init__(self, error: CreateUnknown) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """What is asked of whom; `note` is told each further try in words."""

    provider: Provider
    spec: SandboxSpec
    reserved: Reserved
    reservations: Reservations
    note: Callable[[str], None]

    async def sandbox(self) -> Sandbox:
        """Make it.

        Raises:
            SandbookError: There is none, and the ledger says so.
            UndecidedError: There may be one; the ledger goes on counting it.
        """
        await self.reservations.sent(self.reserved.id)
        try:
            return await self._asked()
        except SandbookError as error:
            if isinstance(error, ProviderError) and error.sent == "maybe":
                return await self._look_up(error)
            await self._settle_refused(error)
            raise
        except BaseException:
            with anyio.move_on_after(_SETTLE_TIMEOUT, shield=True):
                await self.reservations.left_open(self.reserved.id)
            raise

    async def _asked(self) -> Sandbox:
        tries = 0
        while True:
            try:
                return await self.provider.create(self.spec, key=self.reserved.key)
            except (Unreachable, Busy, RateLimited) as error:
                wait = _wait_after(error, tries)
                if wait is None:
                    raise
                tries += 1
                name = self.provider.info.name
                self.note(f"{name} is asked again in {wait:.1f} s: {error}")
                await anyio.sleep(wait)

    async def _settle_refused(self, error: SandbookError) -> None:
        """Charge what was made and taken back; else nothing."""
        ref = error.ref if isinstance(error, ProviderError) else None
        if ref is None:
            await self.reservations.refused(self.reserved.id)
        else:
            await self._settle_ended(ref)

    async def _settle_ended(self, ref: SandboxRef) -> None:
        await self.reservations.bound(self.reserved.id, ref, expires_at=None)
        await self.reservations.committed(self.reserved.id)

    async def _look_up(self, error: ProviderError) -> Sandbox:
        """The sandbox that was made after all."""
        silent: SandbookError | None = error
        for pause in LOOKS:
            await anyio.sleep(pause)
            try:
                info = await self._found()
            except SandbookError as later:
                silent = later
                continue
            if info is not None:
                return await self._adopt(info, error)
            silent = None
        if silent is not None:
            await self._leave_open(error, silent)
        await self.reservations.refused(self.reserved.id)
        raise error

    async def _found(self) -> SandboxInfo | None:
        mine = "sandbook.reservation"
        wanted = {mine: self.reserved.labels[mine]}
        with anyio.move_on_after(_LOOK_TIMEOUT):
            async for info in self.provider.list(wanted):
                if info.state != "ended":
                    return info
            return None
        raise SandbookError(f"no answer within {_LOOK_TIMEOUT:.0f} s")

    async def _adopt(self, info: SandboxInfo, error: ProviderError) -> Sandbox:
        """Open it; what cannot be opened is ended."""
        try:
            return await self.provider.attach(info.ref, resume_paused=True)
        except SandboxGone:
            await self._settle_ended(info.ref)
            raise error from None
        except SandbookError as broken:
            try:
                await self.provider.destroy(info.ref)
            except (ProviderError, TeardownFailed):
                await self.reservations.bound(
                    self.reserved.id, info.ref, expires_at=info.expires_at
                )
                await self._leave_open(error, broken)
            await self._settle_ended(info.ref)
            raise error from broken

    async def _leave_open(self, error: ProviderError, why: SandbookError) -> NoReturn:
        """Leave it to a sweep, which asks again when the next run begins."""
        await self.reservations.left_open(self.reserved.id)
        raise UndecidedError(
            CreateUnknown(
                f"{error}; there may be a sandbox, and it could not be looked up: "
                f"{why}",
                provider=error.provider,
                operation=error.operation,
                sent="maybe",
                remedy="`sandbook reap` looks for it again and ends it",
            )
        ) from error


def _wait_after(error: Unreachable | Busy | RateLimited, tries: int) -> float | None:
    """Seconds until it is asked again; None = not by this run."""
    if error.ref is not None:
        # Made and taken back: the same key would lead to what has ended.
        return None
    if isinstance(error, RateLimited):
        wait = _USUAL_WAIT if error.after is None else error.after
        return wait if tries == 0 and wait <= LONGEST_WAIT else None
    if tries >= FURTHER_TRIES:
        return None
    return _USUAL_WAIT * 2.0**tries * random.uniform(0.25, 0.75)
