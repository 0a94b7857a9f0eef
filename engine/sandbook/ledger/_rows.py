"""How the ledger's types are written in a row of SQLite, and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from sandbook.api import SandboxRef
from sandbook.ledger._states import counter_period
from sandbook.ledger._types import Meter, Reservation, User
from sandbook.state import ProcessIdentity

Parameter: TypeAlias = "str | int | float | None"
CounterKey: TypeAlias = tuple[str, str, Meter]
"""Provider, period and meter."""


def aware(seconds: float) -> datetime:
    """The instant that many seconds after 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def seconds_of(at: datetime | None) -> float | None:
    """Seconds from 1970 to an instant."""
    return at.timestamp() if at else None


def counter_key(provider: str, meter: Meter, period: str) -> dict[str, Parameter]:
    """The parameters that name one counter."""
    return {
        "provider": provider,
        "meter": meter,
        "period": counter_period(meter, period),
    }


def read_user(run: str, process: str) -> User:
    """A row of `user`."""
    return User(run=run, process=ProcessIdentity.from_json(json.loads(process)))


def read_reservation(row: Mapping[str, Any], users: tuple[User, ...]) -> Reservation:
    """A row of `reservation`, by column name."""
    ref: str | None = row["ref"]
    return Reservation(
        id=row["id"],
        provider=row["provider"],
        run=row["run"],
        installation=row["installation"],
        period=row["period"],
        state=row["state"],
        seconds=row["seconds"],
        charged=row["charged"],
        ref=SandboxRef.from_json(json.loads(ref)) if ref else None,
        labels=json.loads(row["labels"]),
        created_at=aware(row["created_at"]),
        lease_until=aware(row["lease_until"]),
        keep_until=_instant(row["keep_until"]),
        expires_at=_instant(row["expires_at"]),
        ended_at=_instant(row["ended_at"]),
        users=users,
    )


def _instant(seconds: float | None) -> datetime | None:
    return None if seconds is None else aware(seconds)
