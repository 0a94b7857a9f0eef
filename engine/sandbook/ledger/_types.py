"""What a ledger can be asked, whichever database keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, get_args

from sandbook.api import SandboxRef
from sandbook.state import ProcessIdentity

Meter = Literal["concurrent", "seconds", "sessions"]
METERS: tuple[Meter, ...] = get_args(Meter)
"""In name order, which is the order their rows are locked in."""

ReservationState = Literal[
    "held", "sent", "bound", "uncertain", "released", "committed"
]
RESERVATION_STATES: tuple[ReservationState, ...] = get_args(ReservationState)
LIVE_STATES: frozenset[ReservationState] = frozenset(
    {"held", "sent", "bound", "uncertain"}
)
"""The states that count against limits."""

LEASE_S = 120.0
"""How long a reservation is believed after its last renewal; renew each 30 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one provider may use; None = unlimited, 0 = nothing.

    `sessions` and `seconds` are per month, `concurrent` at any one time. `sources`
    says where each was written, for the message that refuses.
    """

    concurrent: int | None = None
    seconds: int | None = None
    sessions: int | None = None
    sources: Mapping[Meter, str] = field(default_factory=dict[Meter, str])

    def of(self, meter: Meter) -> int | None:
        """The limit of one meter."""
        by_meter: dict[Meter, int | None] = {
            "concurrent": self.concurrent,
            "seconds": self.seconds,
            "sessions": self.sessions,
        }
        return by_meter[meter]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """`used` is charged for good, `held` by reservations that are still live."""

    used: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A run that uses a sandbox, and the process that spoke for it last."""

    run: str
    process: ProcessIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """One sandbox, wanted or real.

    `run` reserved it, `users` are in it now. `seconds` were reserved, `charged` is what
    it came to. `period` (`YYYY-MM`, UTC) is the month that pays. `keep_until` protects
    it after the last user left.
    """

    id: str
    provider: str
    run: str
    installation: str
    period: str
    state: ReservationState
    seconds: int
    charged: int | None
    ref: SandboxRef | None
    labels: Mapping[str, str]
    created_at: datetime
    lease_until: datetime
    keep_until: datetime | None
    expires_at: datetime | None
    ended_at: datetime | None
    users: tuple[User, ...]

    @property
    def is_live(self) -> bool:
        """Whether it counts against limits."""
        return self.state in LIVE_STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class CoolDown:
    """A provider that is left alone for a while."""

    provider: str
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A counter that disagrees with the events; `period` is "" for `concurrent`."""

    provider: str
    period: str
    meter: Meter
    counter: Usage
    events: Usage


class Ledger(Protocol):
    """Counts sandboxes exactly, under races and crashes.

    Repeating a transition changes nothing. Every method raises `LedgerError` when the
    database cannot be read or written, the reservation is unknown, or the step is not
    in the picture of `contract.md` §5. All times are judged by the database's clock.
    """

    async def installation(self) -> str:
        """The id that marks what this installation made."""
        ...

    async def period(self) -> str:
        """The month (`YYYY-MM`, UTC) that a reservation made now is charged to.

        Never earlier than the newest reservation's: a clock set back buys nothing.
        """
        ...

    async def reserve(
        self,
        provider: str,
        run: str,
        *,
        limits: Limits,
        seconds: float,
        lease: float = LEASE_S,
        labels: Mapping[str, str] | None = None,
    ) -> Reservation:
        """Hold one session, one place and `seconds`, with `run` as the first user.

        `labels` are what `find` looks for. Raises `QuotaExhausted`; then nothing is
        held of any meter.
        """
        ...

    async def sent(self, id: str) -> Reservation:
        """From `held`: the create is about to leave, a sandbox may exist from here."""
        ...

    async def bound(
        self, id: str, ref: SandboxRef, *, expires_at: datetime | None = None
    ) -> Reservation:
        """From `sent` or `uncertain`: this is the sandbox; there is never a second."""
        ...

    async def released(self, id: str) -> Reservation:
        """Charge nothing. From `held`, or from `uncertain` if it was never bound.

        A create that the provider refused after `sent` becomes `uncertain` first.
        """
        ...

    async def uncertain(self, id: str) -> Reservation:
        """From `sent` or `bound`: whether the sandbox exists has to be asked."""
        ...

    async def committed(self, id: str, *, ended_at: datetime) -> Reservation:
        """Charge a session and the seconds of its life, rounded up.

        From `bound`, or from `uncertain` if it was bound.
        """
        ...

    async def renew(
        self,
        id: str,
        run: str,
        *,
        lease: float = LEASE_S,
        expires_at: datetime | None = None,
    ) -> Reservation:
        """Extend the lease; leaves a settled reservation as it is.

        The answer's `state` tells a late user that the sandbox was given up meanwhile.
        `expires_at` is the sandbox's new end of life, when it moved.
        """
        ...

    async def join(self, id: str, run: str, *, lease: float = LEASE_S) -> Reservation:
        """Become a user, in the name of this process; a resumed run joins again."""
        ...

    async def leave(
        self, id: str, run: str, *, keep_until: datetime | None = None
    ) -> Reservation:
        """Stop being a user; the last one's `keep_until` replaces the lease.

        The latest `keep_until` of all who left counts. Without any, the reservation is
        `expired` at once.
        """
        ...

    async def expired(self) -> tuple[Reservation, ...]:
        """Live reservations that nobody speaks for, oldest first.

        Their lease and `keep_until` are over, and no user's process is seen alive on
        this boot of this computer.
        """
        ...

    async def get(self, id: str) -> Reservation | None:
        """The reservation with this id."""
        ...

    async def by_ref(self, ref: SandboxRef) -> Reservation | None:
        """The newest reservation of this sandbox."""
        ...

    async def find(self, labels: Mapping[str, str]) -> tuple[Reservation, ...]:
        """Bound reservations that have all these labels, newest first."""
        ...

    async def live(self, provider: str | None = None) -> tuple[Reservation, ...]:
        """Reservations that count against limits, newest first."""
        ...

    async def usage(
        self, provider: str, period: str | None = None
    ) -> Mapping[Meter, Usage]:
        """Each meter's use in a month (the current one); `concurrent` is always now."""
        ...

    async def cool_down(self, provider: str, until: datetime, *, reason: str) -> None:
        """Leave a provider alone until then; a past instant lifts it."""
        ...

    async def cooled_down(self, provider: str) -> CoolDown | None:
        """Why and until when a provider is left alone; None when it is not."""
        ...

    async def verify(self) -> tuple[Difference, ...]:
        """The counters that disagree with the events; empty when all is well."""
        ...

    async def rebuild(self) -> tuple[Difference, ...]:
        """Set the counters to what the events say; returns what was wrong."""
        ...

    async def aclose(self) -> None:
        """Close the database; a second call does nothing."""
        ...
