"""How much of each provider is used, and which sandbox belongs to whom.

`Ledger` is what the engine sees. `SqliteLedger` serves the processes of one computer.
"""

from sandbook.ledger._limits import limits_for
from sandbook.ledger._sqlite import SqliteLedger
from sandbook.ledger._states import ARROWS
from sandbook.ledger._types import (
    LEASE_S,
    LIVE_STATES,
    METERS,
    RESERVATION_STATES,
    CoolDown,
    Difference,
    Ledger,
    Limits,
    Meter,
    Reservation,
    ReservationState,
    Usage,
    User,
)

__all__ = [
    "ARROWS",
    "LEASE_S",
    "LIVE_STATES",
    "METERS",
    "RESERVATION_STATES",
    "CoolDown",
    "Difference",
    "Ledger",
    "Limits",
    "Meter",
    "Reservation",
    "ReservationState",
    "SqliteLedger",
    "Usage",
    "User",
    "limits_for",
]
