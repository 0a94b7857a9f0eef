"""Which step a reservation may take, and what each step charges.

The picture of `contract.md` §5; every back-end asks here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from sandbook.api import SandboxRef
from sandbook.errors import LedgerError, QuotaExhausted
from sandbook.ledger._types import (
    Limits,
    Meter,
    Reservation,
    ReservationState,
    Usage,
)

ARROWS: Mapping[ReservationState, frozenset[ReservationState]] = {
    "held": frozenset({"sent", "released"}),
    "sent": frozenset({"bound", "uncertain"}),
    "bound": frozenset({"committed", "uncertain"}),
    "uncertain": frozenset({"bound", "released", "committed"}),
    "released": frozenset(),
    "committed": frozenset(),
}


def check_arrow(now: Reservation, to: ReservationState) -> None:
    """Raise `LedgerError` unless the reservation may become `to`."""
    if to not in ARROWS[now.state]:
        allowed = " or ".join(repr(state) for state in sorted(ARROWS[now.state]))
        raise LedgerError(
            f"reservation {now.id!r} is {now.state!r} and cannot become {to!r}",
            remedy=f"it can become {allowed}" if allowed else "it is settled for good",
        )
    if now.state != "uncertain" or to == "bound":
        return
    if (now.ref is None) != (to == "released"):
        was = "never bound" if now.ref is None else f"bound to {now.ref.id!r}"
        better = "released" if now.ref is None else "committed"
        raise LedgerError(
            f"reservation {now.id!r} was {was} and cannot become {to!r}",
            remedy=f"an absent sandbox makes it {better!r}",
        )


def check_same_sandbox(now: Reservation, ref: SandboxRef) -> None:
    """Raise `LedgerError` when the reservation already has another sandbox."""
    if ref.provider != now.provider:
        raise LedgerError(
            f"reservation {now.id!r} is for {now.provider!r},"
            f" not for a sandbox of {ref.provider!r}",
            remedy="reserve from the provider that makes the sandbox",
        )
    if now.ref is not None and now.ref.id != ref.id:
        raise LedgerError(
            f"reservation {now.id!r} is bound to {now.ref.id!r}, not to {ref.id!r}",
            remedy="one reservation holds one sandbox: destroy the second",
        )


def lived_seconds(ref: SandboxRef, ended_at: datetime) -> int:
    """Seconds from created to ended, rounded up; clocks that disagree give 0."""
    return max(0, math.ceil((ended_at - ref.created_at).total_seconds()))


def meters_of(seconds: int) -> dict[Meter, int]:
    """What one reservation holds, in the order rows are locked."""
    return {"concurrent": 1, "seconds": seconds, "sessions": 1}


def settlement(
    now: Reservation, to: ReservationState, *, charged: int | None
) -> dict[Meter, Usage]:
    """How each counter changes with this step; empty for steps that move nothing."""
    if to not in ("released", "committed"):
        return {}
    used: dict[Meter, int] = {}
    if to == "committed":
        used = {"seconds": charged or 0, "sessions": 1}
    return {
        meter: Usage(used=used.get(meter, 0), held=-held)
        for meter, held in meters_of(now.seconds).items()
    }


def counter_period(meter: Meter, period: str) -> str:
    """The period a counter is kept for: what lives at once knows no month."""
    return "" if meter == "concurrent" else period


def exhausted(
    provider: str, meter: Meter, *, more: int, usage: Usage, limits: Limits, period: str
) -> QuotaExhausted:
    """The refusal of one meter, with what is used and where the limit is written."""
    limit = limits.of(meter)
    variable = f"QUOTA_{provider.upper().replace('-', '_')}_MONTHLY"
    source = limits.sources.get(meter) or variable
    when = "at once" if meter == "concurrent" else f"in {period}"
    message = (
        f"the quota of {provider!r} is {limit} {_WORDS[meter]} {when}:"
        f" {usage.used} used, {usage.held} held, {more} more wanted"
    )
    if limit == 0:
        message = f"{provider!r} is disabled: {source} allows 0 {_WORDS[meter]} {when}"
    wait = (
        "wait for one to end" if meter == "concurrent" else f"wait for {period}'s end"
    )
    return QuotaExhausted(
        message,
        provider=provider,
        operation="create",
        sent="no",
        remedy=f"raise {source}, choose another provider, or {wait}",
    )


_WORDS: Mapping[Meter, str] = {
    "concurrent": "sandboxes",
    "seconds": "seconds",
    "sessions": "sessions",
}
