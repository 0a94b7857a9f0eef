"""Ways into each state of a reservation, for the ledger's tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sandbook.api import SandboxRef
from sandbook.ledger import Ledger, Limits, Reservation, ReservationState

NOVEMBER = datetime(2025, 11, 20, 12, tzinfo=UTC)
UNLIMITED = Limits()


@dataclass
class Clock:
    """The wall clock of the database, set by the test."""

    at: datetime = NOVEMBER

    def __call__(self) -> float:
        return self.at.timestamp()

    def forward(self, **time: float) -> None:
        self.at += timedelta(**time)


def ref(id: str = "box", provider: str = "e2b") -> SandboxRef:
    return SandboxRef(provider=provider, id=id, created_at=NOVEMBER)


async def hold(
    ledger: Ledger,
    limits: Limits = UNLIMITED,
    *,
    provider: str = "e2b",
    seconds: float = 600,
) -> Reservation:
    return await ledger.reserve(provider, "run", limits=limits, seconds=seconds)


async def step(ledger: Ledger, id: str, to: ReservationState) -> Reservation:
    match to:
        case "held":
            raise AssertionError("nothing becomes held")
        case "sent":
            return await ledger.sent(id)
        case "bound":
            return await ledger.bound(id, ref())
        case "released":
            return await ledger.released(id)
        case "uncertain":
            return await ledger.uncertain(id)
        case "committed":
            ended = NOVEMBER + timedelta(seconds=90.2)
            return await ledger.committed(id, ended_at=ended)


WAYS: dict[str, tuple[ReservationState, ...]] = {
    "held": (),
    "sent": ("sent",),
    "bound": ("sent", "bound"),
    "uncertain": ("sent", "uncertain"),
    "uncertain after bound": ("sent", "bound", "uncertain"),
    "released": ("released",),
    "committed": ("sent", "bound", "committed"),
}


async def walk(ledger: Ledger, way: str) -> Reservation:
    reservation = await hold(ledger)
    for to in WAYS[way]:
        reservation = await step(ledger, reservation.id, to)
    return reservation


async def usage(ledger: Ledger, provider: str = "e2b") -> dict[str, tuple[int, int]]:
    found = await ledger.usage(provider)
    return {meter: (use.used, use.held) for meter, use in found.items()}
