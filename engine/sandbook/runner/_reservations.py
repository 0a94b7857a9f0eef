"""The ledger's side of a sandbox: one reservation from the wish to the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbook.api import JSON, Arguments, SandboxRef
from sandbook.errors import LedgerError
from sandbook.runner._context import BookContext
from sandbook.runner._spec import lifetime_of

UNGUARDED = frozenset({"local"})
"""Providers that may be used while the ledger cannot be read: they cost nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """A reservation; `key` names the create for good, `labels` mark the sandbox."""

    id: str
    key: str
    labels: Mapping[str, str]


class Reservations:
    """Transitions of this run's reservations; without a ledger it only makes ids."""

    def __init__(self, context: BookContext) -> None:
        self._context = context
        self._counted: set[str] = set()

    async def reserve(self, provider: str, name: str, options: Arguments) -> Reserved:
        """Hold a session, or raise `QuotaExhausted`."""
        run = self._context.run
        reservation = f"{run}-{name}-{provider}"
        if self._context.request.count_quota:
            reservation = await self._counted_id(provider, options) or reservation
        labels = {
            "sandbook.installation": self._context.installation.id,
            "sandbook.reservation": reservation,
            "sandbook.run": run,
            "sandbook.name": name,
        }
        return Reserved(id=reservation, key=reservation, labels=labels)

    async def _counted_id(self, provider: str, options: Arguments) -> str | None:
        installation = self._context.installation
        try:
            reservation = await installation.ledger.reserve(
                provider,
                self._context.run,
                limits=installation.limits_of(provider),
                seconds=lifetime_of(options),
            )
        except LedgerError:
            if provider in UNGUARDED:
                return None
            raise
        self._counted.add(reservation.id)
        return reservation.id

    async def joined(self, ref: SandboxRef) -> str:
        """The reservation of a sandbox that is there, with this run as a user."""
        if not self._context.request.count_quota:
            return ""
        ledger = self._context.installation.ledger
        reservation = await ledger.by_ref(ref)
        if reservation is None:
            return ""
        await ledger.join(reservation.id, self._context.run)
        self._counted.add(reservation.id)
        return reservation.id

    async def sent(self, id: str) -> None:
        """The create is about to leave."""
        if id in self._counted:
            await self._context.installation.ledger.sent(id)

    async def bound(
        self, id: str, ref: SandboxRef, *, expires_at: datetime | None
    ) -> None:
        """This is the sandbox."""
        if id in self._counted:
            await self._context.installation.ledger.bound(
                id, ref, expires_at=expires_at
            )

    async def refused(self, id: str) -> None:
        """The provider made nothing: charge nothing."""
        if id in self._counted:
            await self._context.installation.ledger.uncertain(id)
            await self._context.installation.ledger.released(id)

    async def left_open(self, id: str) -> None:
        """Whether there is a sandbox has to be asked later, by whoever comes first."""
        if id in self._counted:
            await self._context.installation.ledger.uncertain(id)
            await self.leave(id, keep_until=None)

    async def renew(self, id: str, expires_at: datetime | None) -> None:
        """We still use it."""
        if id in self._counted:
            await self._context.installation.ledger.renew(
                id, self._context.run, expires_at=expires_at
            )

    async def leave(self, id: str, *, keep_until: datetime | None) -> None:
        """It lives on without us."""
        if id in self._counted:
            await self._context.installation.ledger.leave(
                id, self._context.run, keep_until=keep_until
            )

    async def committed(self, id: str) -> None:
        """It has ended: charge its life."""
        if id in self._counted:
            await self._context.installation.ledger.committed(
                id, ended_at=datetime.now(UTC)
            )

    async def month_of(self, provider: str) -> dict[str, JSON]:
        """Sessions used this month, live ones included, and the limit."""
        if not self._counted:
            return {}
        installation = self._context.installation
        usage = await installation.ledger.usage(provider)
        sessions = usage["sessions"]
        return {
            "used": sessions.used + sessions.held,
            "limit": installation.limits_of(provider).sessions,
        }
